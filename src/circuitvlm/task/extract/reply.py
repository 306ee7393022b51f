"""What was read out of a reply that states fields?"""

from __future__ import annotations

import json
from typing import Any, Literal, TypeAlias

LONGEST = 200_000
"""Characters of a reply that are read; of a receipt of 300 items it takes about 40,000."""

DEEPEST = 64
"""Objects and lists in one another."""

Mended: TypeAlias = Literal["", "found", "repaired"]


class Said(dict[str, Any]):
    """An object, and what the reader had to do for it.

    `mended` is "" where the reply was nothing else, "found" where other words or commas too many were left out, and
    "repaired" where the reply was cut off and has been closed. It does not count when two of them are compared.
    """

    def __init__(self, fields: dict[str, Any], *, mended: Mended) -> None:
        super().__init__(fields)
        self.mended: Mended = mended


def parsed(text: str, *, strict: bool) -> Any:
    """JSON whose numbers are the texts that they are written as: the 60.000 of a receipt is not 60.

    Raises ValueError, and RecursionError for what is nested too deeply; strings may have line breaks if not
    `strict`.
    """
    return json.loads(text, strict=strict, parse_int=str, parse_float=str, parse_constant=str)
