"""Run one task of a model on an image, and read its reply: the fields of a receipt, a digit, a letter."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from circuitvlm.core.record import Picture
from circuitvlm.serving.cut_reply import CutReplyError
from circuitvlm.serving.text import echo, escape

if TYPE_CHECKING:  # torch takes seconds to load
    from circuitvlm.serving.predictor import Predictor

MAX_SHOWN_CHARACTERS = 2000
"""Characters of a reply that an error message shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskAnswer:
    """A reply to a task, and what the task reads from it; where that is None, `errors` has the reason.

    Of a reply that was cut, only a text is read, which is an error too, and JSON that was repaired.
    """

    image: str | None
    task: str
    question: str | None
    text: str
    cut: bool
    parsed_value: Any
    errors: tuple[str, ...]


def answer_task(
    predictor: Predictor,
    task_name: str,
    picture: Picture | None,
    *,
    image: str | None,
    question: str | None,
    options: Sequence[str],
) -> TaskAnswer:
    """Run a task on an image, or without one. Raises ValueError for bad images and for input the task does not take.

    `image` is the name of the picture in the answer.
    """
    cut_error = None
    try:
        text = predictor.run_task(task_name, picture, question=question, options=options)
    except CutReplyError as error:
        cut_error, text = error, error.text
    value = predictor.parse_reply(task_name, text)
    errors: list[str] = []
    if cut_error is not None and getattr(value, "mended", "") != "repaired":  # which the user has allowed
        errors.append(f"{task_name}: {cut_error}")
        value = value if isinstance(value, str) else None  # a text is printed, what there is of it
    elif value is None:
        shown_text = f"{text[:MAX_SHOWN_CHARACTERS]}{' ..' if len(text) > MAX_SHOWN_CHARACTERS else ''}" or "nothing"
        errors.append(f"{task_name}: expected a reply that the task can read, got {shown_text}")
    return TaskAnswer(
        image=image,
        task=task_name,
        question=question,
        text=text,
        cut=cut_error is not None,
        parsed_value=value,
        errors=tuple(errors),
    )


def as_dict(answer: TaskAnswer) -> dict[str, Any]:
    """The answer for JSON, in plain containers. `reply` is the reply of the model, unchanged.

    `read` is what the task reads from it, if that is a text or an object, else null.
    """
    return {
        "image": answer.image,
        "task": answer.task,
        **({} if answer.question is None else {"question": answer.question}),
        "reply": answer.text,
        "cut": answer.cut,
        "read": answer.parsed_value if isinstance(answer.parsed_value, str | Mapping) else None,
        "errors": list(answer.errors),
    }


def print_answer(answer: TaskAnswer, *, is_one_of_several: bool) -> None:
    """Print an object as JSON on one line of standard output, and for any other value the reply.

    For a reply that cannot be read, print null if there are several answers, one a line, else nothing.
    """
    if isinstance(answer.parsed_value, Mapping):
        echo(json_line(answer.parsed_value))
    elif answer.parsed_value is not None:
        echo(answer.text)
    elif is_one_of_several:
        echo("null")


def json_line(value: Any) -> str:
    """JSON on one line, without characters that a terminal could execute."""
    return escape(json.dumps(value, ensure_ascii=False))
