"""Read the options of a multiple-choice question, and the letter of one."""

from __future__ import annotations

import re
from collections.abc import Sequence

from circuitvlm.core.record import Example

LETTERS = "ABCDEFGH"

# "A magnet is" begins with no letter, "A because it is" does
_FIRST = re.compile(r"(?<![A-Za-z'])(A(?!\s+(?!(?:or|and|because|since)\b)[a-z])|[B-H])(?![A-Za-z0-9'])")


def options_of(example: Example) -> list[str]:
    """The texts of the options. Raises ValueError for fewer than two, or more than there are letters."""
    options = example.facts.get("options")
    if not isinstance(options, Sequence) or isinstance(options, str) or not 2 <= len(options) <= len(LETTERS):
        raise ValueError(f"example {example.id!r}: options: expected 2 to {len(LETTERS)} texts, got {options!r}")
    return [str(option) for option in options]


def first_letter(text: str) -> str | None:
    """The first single letter of an option in a text, or None."""
    match = _FIRST.search(text)
    return match[1] if match else None
