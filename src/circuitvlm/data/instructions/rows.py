"""Parse the rows of instruction files in Alpaca's or LLaVA's format as conversations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from circuitvlm.core.record import Turn
from circuitvlm.data._reading.files import UnusableError

IMAGE_MARK = "<image>"
_ROLES = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "system": "system"}


@dataclass(frozen=True, slots=True)
class Conversation:
    """Turns of user and assistant that alternate, perhaps after a system turn; `image` is empty if there is none.

    Conversations with the same `key` must be in one split. `file` is the name of the file without its suffix.
    """

    turns: tuple[Turn, ...]
    image: str
    key: str
    file: str

    @property
    def answers(self) -> tuple[int, ...]:
        """The indices of the assistant's turns."""
        return tuple(index for index, turn in enumerate(self.turns) if turn.role == "assistant")


def parse_row(row: Any, *, file: str) -> Conversation:
    """The conversation of a row in either format, recognized by its keys. Raises UnusableError."""
    if isinstance(row, Mapping) and "conversations" in row:
        return _parse_llava(row, file=file)
    if isinstance(row, Mapping) and "instruction" in row:
        return _parse_alpaca(row, file=file)
    raise UnusableError("neither instruction nor conversations", row)


def _parse_alpaca(row: Mapping[str, Any], *, file: str) -> Conversation:
    """The question is the instruction, and its input in a paragraph of its own."""
    question, context, answer = (_read_text(row.get(name) or "") for name in ("instruction", "input", "output"))
    if not question or not answer:
        raise UnusableError("no answer" if question else "no question", row)
    if context:
        question = f"{question}\n\n{context}"
    return Conversation(
        (Turn(role="user", text=question), Turn(role="assistant", text=answer)), "", f"text {question}", file
    )


def _parse_llava(row: Mapping[str, Any], *, file: str) -> Conversation:
    values = row["conversations"]
    if not isinstance(values, list) or not all(isinstance(value, Mapping) for value in values):
        raise UnusableError("conversations are not a list of turns", values)
    turns = tuple(_parse_turn(value) for value in values)
    if turns and turns[-1].role == "user":
        turns = turns[:-1]  # a question without an answer
    dialogue = turns[1:] if turns and turns[0].role == "system" else turns
    if not dialogue:
        raise UnusableError("no conversation", values)
    if any(turn.role != ("user", "assistant")[index % 2] for index, turn in enumerate(dialogue)):
        raise UnusableError("turns do not alternate", [turn.role for turn in dialogue])
    image = row.get("image") or ""
    if not isinstance(image, str):
        raise UnusableError("several images" if isinstance(image, list) else "no image", image)
    for turn in dialogue:
        if not turn.text:
            raise UnusableError("no question" if turn.role == "user" else "no answer", turn)
    return Conversation(turns, image, f"image {image}" if image else f"text {dialogue[0].text}", file)


def _parse_turn(value: Mapping[str, Any]) -> Turn:
    role = _ROLES.get(str(value.get("from")))
    if role is None:
        raise UnusableError("turn of an unknown speaker", value.get("from"))
    return Turn(role=role, text=_read_text(value.get("value")).replace(IMAGE_MARK, "").strip())


def _read_text(value: Any) -> str:
    if not isinstance(value, str):
        raise UnusableError("turn that is not a text", value)
    return value.strip()
