"""Check the settings of data sources."""

from __future__ import annotations

from collections.abc import Iterable

from circuitvlm.runtime.spelling import suggestion


def check_choice(key: str, value: str, choices: Iterable[str]) -> None:
    """Raise ValueError, with the nearest choice, if the value of a setting is none of its choices."""
    if value not in (names := list(choices)):
        raise ValueError(f"{key}: expected {' or '.join(names)}, got {value!r}.{suggestion(str(value), names)}")
