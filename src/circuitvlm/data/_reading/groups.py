"""Find the items of a data set that have something in common, for an audit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

MAX_NAMES = 10
"""The number of groups, and of names in a group, that a report names."""

Groups = tuple[tuple[str, ...], ...]


def group_names(pairs: Iterable[tuple[str, str]]) -> Groups:
    """The names of each key that more than one name has, from pairs of a key and a name."""
    groups: dict[str, dict[str, None]] = {}
    for key, name in pairs:
        groups.setdefault(key, {})[name] = None
    return tuple(tuple(names) for names in groups.values() if len(names) > 1)


def format_groups(groups: Sequence[Sequence[str]], *, description: str) -> list[str]:
    """The lines of a report: the number of groups with a description, then the names of the first groups."""
    return [f"{len(groups)} {description}", *(f"  {', '.join(group[:MAX_NAMES])}" for group in groups[:MAX_NAMES])]


def format_nonempty_groups(groups: Sequence[Sequence[str]], *, description: str) -> list[str]:
    """The lines of `format_groups`; none without groups."""
    return format_groups(groups, description=description) if groups else []
