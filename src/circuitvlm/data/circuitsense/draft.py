"""What is known of an item before it is judged? What its files say, in one form for all layouts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from circuitvlm.data._reading.files import UnusableError

PARTS = ("synthetic", "curated", "perception", "design", "generated", "qa")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """One question as its files state it; an empty text is one that is not stated.

    `circuit` names the circuit among those of its layout. `netlist` is the circuit that the answer is about,
    `likeness` the text by which the circuit is told from others. `kind` and `facts` are what the layout itself says.
    """

    question: str
    answer: str
    images: tuple[Path, ...]
    circuit: str = ""
    netlist: str = ""
    likeness: str = ""
    options: str = ""
    choice: str = ""
    level: str = ""
    category: str = ""
    kind: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    """A question that was found, by its id, and how its files are read. `read` raises UnusableError."""

    id: str
    part: str
    read: Callable[[], Draft]


def unusable(reason: str) -> Callable[[], Draft]:
    """The reading of an item of which it is known that it cannot be used."""

    def read() -> Draft:
        raise UnusableError(reason)

    return read


def part_of(components: Iterable[str]) -> str:
    """The part of the data set that a path lies in, by the names of its folders; empty where none says it."""
    for name in components:
        for part in PARTS[:4]:
            if re.match(rf"{part}(?![a-z])", name.lower()):
                return part
    return ""


_NOTHING = re.compile(r"n/?a|none|null|nan|[-+]?inf(inity)?|tbd|todo|unknown|empty|<empty>|-+|\?+|\.+", re.IGNORECASE)
_FAILED = re.compile(
    r"TIMEOUT_OR_ERROR|SKIPPED|Simulation failed|MNA Creation Error|MNA Error|Conversion Error|Error:"
    r"|unsupported operand type|<ERROR_"
)


def checked(question: str, *, answer: str) -> None:
    """Raises UnusableError where there is no question, or no answer but a note that stands in for one."""
    if not question.strip():
        raise UnusableError("no question")
    plain = " ".join(answer.split())
    if not plain:
        raise UnusableError("no answer")
    if found := _FAILED.search(plain):
        raise UnusableError(f"answer says {found.group().rstrip(':')}")
    if _NOTHING.fullmatch(plain):
        raise UnusableError("placeholder answer")
    if plain.casefold() == " ".join(question.split()).casefold():
        raise UnusableError("answer repeats the question")
