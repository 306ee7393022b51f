"""Define a question as its files state it, in one form for all layouts and before any interpretation."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from circuitvlm.data._reading.files import UnusableError

PARTS = ("synthetic", "curated", "perception", "design", "generated", "qa")


@dataclass(frozen=True, slots=True, kw_only=True)
class RawQuestion:
    """One question as its files state it; a missing text is empty.

    `circuit` is the name of the circuit in its layout. `netlist` is the circuit that the answer is about, and
    `topology_netlist` the one by which circuits are compared. `kind` and `facts` are what the layout itself defines.
    """

    question: str
    answer: str
    images: tuple[Path, ...]
    circuit: str = ""
    netlist: str = ""
    topology_netlist: str = ""
    options: str = ""
    choice: str = ""
    level: str = ""
    category: str = ""
    kind: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class QuestionRef:
    """The id and the part of a question, and the function that reads its files and may raise UnusableError."""

    id: str
    part: str
    load: Callable[[], RawQuestion]


def unusable_loader(reason: str, got: object) -> Callable[[], RawQuestion]:
    """A loader that always raises UnusableError."""

    def load() -> RawQuestion:
        raise UnusableError(reason, got)

    return load


def part_of(components: Iterable[str]) -> str:
    """The part of the data set by the names of the folders of a path; empty if none of them is a part."""
    parts = (part for name in components for part in PARTS[:4] if re.match(rf"{part}(?![a-z])", name.lower()))
    return next(parts, "")


_PLACEHOLDER = re.compile(
    r"n/?a|none|null|nan|[-+]?inf(inity)?|tbd|todo|unknown|empty|<empty>|-+|\?+|\.+", re.IGNORECASE
)
_FAILURE = re.compile(
    r"TIMEOUT_OR_ERROR|SKIPPED|Simulation failed|MNA Creation Error|MNA Error|Conversion Error|Error:"
    r"|unsupported operand type|<ERROR_"
)


def check_texts(question: str, *, answer: str) -> None:
    """Raise UnusableError for an empty question, and for an answer that is empty, a placeholder or an error message."""
    if not question.strip():
        raise UnusableError("no question", question)
    words = " ".join(answer.split())
    if not words:
        raise UnusableError("no answer", answer)
    if match := _FAILURE.search(words):
        raise UnusableError(f"answer says {match.group().rstrip(':')}", answer)
    if _PLACEHOLDER.fullmatch(words):
        raise UnusableError("placeholder answer", words)
    if words.casefold() == " ".join(question.split()).casefold():
        raise UnusableError("answer repeats the question", words)
