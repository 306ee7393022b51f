"""Hold the fields that were read from a reply."""

from __future__ import annotations

import json
from typing import Any, Literal, TypeAlias

MAX_CHARACTERS = 200_000
"""Characters of a reply that are read; of a receipt of 300 items it takes about 40,000."""

MAX_DEPTH = 64
"""Objects and lists in one another."""

Repair: TypeAlias = Literal["", "found", "repaired"]


class ReadObject(dict[str, Any]):
    """The fields of a reply, and how they were read.

    `mended` is "" where the reply was only the object, "found" where other text or extra commas were left out, and
    "repaired" where the reply was cut off and has been closed. It is ignored when two objects are compared.
    """

    def __init__(self, fields: dict[str, Any], *, mended: Repair) -> None:
        super().__init__(fields)
        self.mended: Repair = mended


def parse_json(text: str, *, strict: bool) -> Any:
    """Parse JSON and keep numbers as they are written: the 60.000 of a receipt is not 60.

    Raises ValueError, and RecursionError for too deep nesting. Without `strict`, strings may have line breaks.
    """
    return json.loads(text, strict=strict, parse_int=str, parse_float=str, parse_constant=str)
