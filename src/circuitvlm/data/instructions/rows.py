"""What does one row of an instruction file say? Alpaca's or LLaVA's, as turns that alternate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from circuitvlm.core.record import Turn
from circuitvlm.data._reading.files import DataFileError, UnusableError, decoded, parsed

MAX_BYTES = 2_000_000_000
MARK = "<image>"
_ROLES = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "system": "system"}


@dataclass(frozen=True, slots=True)
class Conversation:
    """Turns of user and assistant in turn, perhaps with a system's before them; `image` is empty where there is none.

    `key` is what must not lie in two splits.
    """

    turns: tuple[Turn, ...]
    image: str
    key: str
    file: str

    @property
    def answers(self) -> tuple[int, ...]:
        """The places of the assistant's turns."""
        return tuple(place for place, turn in enumerate(self.turns) if turn.role == "assistant")


def load(path: Path) -> Sequence[Any]:
    """The rows of a file that is one list, or has one object a line. Raises DataFileError."""
    if not path.is_file():
        raise DataFileError(f"instructions: there is no file {path}; wanted Alpaca's or LLaVA's JSON")
    if path.stat().st_size > MAX_BYTES:
        raise DataFileError(f"{path}: JSON file too large; wanted at most {MAX_BYTES // 10**6} MB")
    raw = path.read_bytes()
    if not raw.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"["):
        return list(_lines(raw, path=path))
    rows = parsed(decoded(raw), path=path)
    assert isinstance(rows, list), "a text that begins with a bracket is a list"
    return rows


def _lines(raw: bytes, *, path: Path) -> Iterator[Any]:
    begin = 0
    for line in raw.split(b"\n"):
        if line.strip():
            yield parsed(decoded(line), path=path, begin=begin)
        begin += len(line) + 1


def conversation(row: Any, *, file: str) -> Conversation:
    """A row of either format, told by its keys. Raises UnusableError."""
    if isinstance(row, Mapping) and "conversations" in row:
        return _llava(row, file=file)
    if isinstance(row, Mapping) and "instruction" in row:
        return _alpaca(row, file=file)
    raise UnusableError("neither instruction nor conversations")


def _alpaca(row: Mapping[str, Any], *, file: str) -> Conversation:
    """The instruction, and its input in a paragraph of its own."""
    instruction, more, answer = (_text(row.get(name) or "") for name in ("instruction", "input", "output"))
    if not instruction or not answer:
        raise UnusableError("no answer" if instruction else "no question")
    asked = f"{instruction}\n\n{more}" if more else instruction
    turns = (Turn(role="user", text=asked), Turn(role="assistant", text=answer))
    return Conversation(turns, "", f"text {asked}", file)


def _llava(row: Mapping[str, Any], *, file: str) -> Conversation:
    said = row["conversations"]
    if not isinstance(said, list) or not all(isinstance(turn, Mapping) for turn in said):
        raise UnusableError("conversations are no list of turns")
    turns = tuple(_turn(turn) for turn in said)
    turns = turns[:-1] if turns and turns[-1].role == "user" else turns  # a question that nobody answered
    system = len(turns) > 0 and turns[0].role == "system"
    spoken = turns[1:] if system else turns
    if not spoken:
        raise UnusableError("no conversation")
    if any(turn.role != ("user", "assistant")[place % 2] for place, turn in enumerate(spoken)):
        raise UnusableError("turns do not alternate")
    image = row.get("image") or ""
    if not isinstance(image, str):
        raise UnusableError("several images" if isinstance(image, list) else "no image")
    if any(not turn.text for turn in spoken):
        empty = next(turn for turn in spoken if not turn.text)
        raise UnusableError("no question" if empty.role == "user" else "no answer")
    return Conversation(turns, image, f"image {image}" if image else f"text {spoken[0].text}", file)


def _turn(said: Mapping[str, Any]) -> Turn:
    role = _ROLES.get(str(said.get("from")))
    if role is None:
        raise UnusableError("turn of nobody known")
    return Turn(role=role, text=_text(said.get("value")).replace(MARK, "").strip())


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise UnusableError("turn that is no text")
    return value.strip()
