"""Find names that are no plain file names, and values that were left out of a saved config."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

FROM_ENVIRONMENT = "<from environment {}>"
"""What is saved in place of a text from an environment variable, which may be a secret."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_HIDDEN = re.compile(FROM_ENVIRONMENT.format("(.*)"), re.DOTALL)
_SECTIONS = ("baselines", "data", "tasks", "logger", "callback")
"""Mappings whose keys become names of files or folders."""


def faults(plain: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the names in a run's or an evaluation's plain config, and which values have to be given again.

    Names of splits, sources, tasks and baselines become parts of paths, so a name such as `../x` is refused.
    """
    for key, name in _names(plain):
        if isinstance(name, str) and not _NAME.fullmatch(name):
            yield (
                f"{key}: expected the name of a folder, of at most 100 letters, digits, '.', '_' and '-', got "
                f"{name[:100]!r}"
            )
    yield from _hidden_values(plain)


def _names(plain: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield "name", plain.get("name")
    for key in ("eval_splits", "splits"):
        splits = plain.get(key)
        yield from ((key, name) for name in (splits if isinstance(splits, list) else ()))
    for section in _SECTIONS:
        parts = plain.get(section)
        for name, part in parts.items() if isinstance(parts, Mapping) else ():
            yield section, name
            splits = part.get("splits") if isinstance(part, Mapping) else None
            yield from ((f"{section}.*.splits", split) for split in (splits if isinstance(splits, Mapping) else ()))


def _hidden_values(value: Any, key: str = "") -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _hidden_values(inner, f"{key}.{name}".lstrip("."))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _hidden_values(inner, f"{key}[{index}]")
    elif isinstance(value, str) and (match := _HIDDEN.fullmatch(value)):
        yield (
            f"{key}: expected a value, got {value!r}, which was not saved; give it again, for example as "
            f"'{key}=${{oc.env:{match[1]}}}'"
        )
