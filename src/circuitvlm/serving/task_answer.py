"""What does a model say to one of its tasks, and what is read out of it? A receipt's fields, a digit, a letter."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import typer

from circuitvlm.core.record import Picture
from circuitvlm.serving.answer import harmless

LONGEST = 2000
"""Characters of a reply that an error shows."""


class Asked(Protocol):
    """Who is asked a task (see respond.py)."""

    def say(self, name: str, picture: Picture | None, *, question: str | None, options: Sequence[str]) -> str: ...

    def understood(self, name: str, text: str) -> Any: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskAnswer:
    """A reply to a task. `read` is what the task reads out of it: None, if nothing, and `errors` say so."""

    image: str | None
    task: str
    question: str | None
    text: str
    read: Any
    errors: tuple[str, ...]


def task_answer(
    asked: Asked, name: str, picture: Picture | None, *, image: str | None, question: str | None, options: Sequence[str]
) -> TaskAnswer:
    """Ask a task about an image, or about none. Raises ValueError for bad images, and for what the task cannot ask."""
    text = asked.say(name, picture, question=question, options=options)
    read = asked.understood(name, text)
    came = f"{text[:LONGEST]}{' ..' if len(text) > LONGEST else ''}" or "nothing"
    errors = () if read is not None else (f"{name}: nothing that can be read in the reply; what came: {came}",)
    return TaskAnswer(image=image, task=name, question=question, text=text, read=read, errors=errors)


def body(answer: TaskAnswer) -> dict[str, Any]:
    """The answer for another program: plain containers. `reply` is what the model said, word for word.

    `read` is null too where it is neither a text nor an object.
    """
    asked = {} if answer.question is None else {"question": answer.question}
    return {
        "image": answer.image,
        "task": answer.task,
        **asked,
        "reply": answer.text,
        "read": answer.read if isinstance(answer.read, str | Mapping) else None,
        "errors": list(answer.errors),
    }


def tell(answer: TaskAnswer, *, several: bool) -> None:
    """On standard output, and nothing else there: an object as JSON, in one line; of any other answer the reply.

    Where no object could be read nothing is said, or null where there are `several` answers, one a line.
    """
    if isinstance(answer.read, Mapping):
        typer.echo(one_line(answer.read))
    elif answer.read is not None:
        typer.echo(harmless(answer.text))
    elif several:
        typer.echo("null")


def one_line(value: Any) -> str:
    """JSON in one line, in which nothing can command a terminal: what cannot be printed is escaped."""
    text = json.dumps(value, ensure_ascii=False)
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)
