"""Build an example from what a user gives: images without a label, a question, options.

The prompt of a task does not depend on the answer, which the user does not have. A placeholder stands for the answer.
"""

from __future__ import annotations

from collections.abc import Sequence

from circuitvlm.core.contract import Task
from circuitvlm.core.record import Example, Picture

NETLIST_PLACEHOLDER = "R1 1 0 1"
ANSWER_PLACEHOLDER = '{"any": "1"}'
"""A valid answer of every task without options: an object of fields, and a text."""

_MARKER = "\ue000"


class TaskInputError(ValueError):
    """A task that does not exist, or input that it does not take; the message says what it takes."""


def build_example(
    task: Task, *, name: str, pictures: Sequence[Picture], question: str | None, options: Sequence[str]
) -> Example:
    """The example that the task called `name` asks about.

    Raises TaskInputError where the task needs a question or options that are missing, or does not use those given.
    """
    takes_options = getattr(task, "kind", None) == "choice"
    if bool(options) != takes_options:
        requirement = "two or more options" if takes_options else "no options"
        raise TaskInputError(f"task {name}: expected {requirement}, got {list(options)!r}")
    marked_example = _example(task, name=name, pictures=(), question=_MARKER, options=options)
    takes_question = _MARKER in _prompt_text(task, marked_example)
    if (question is not None) != takes_question:
        requirement = "a question" if takes_question else "no question, because its prompt is fixed"
        raise TaskInputError(f"task {name}: expected {requirement}, got {question!r}")
    example = _example(task, name=name, pictures=pictures, question=question or "", options=options)
    _prompt_text(task, example)
    return example


def _prompt_text(task: Task, example: Example) -> str:
    """The text of the prompt. Raises TaskInputError for an example that the task refuses."""
    try:
        return "\n".join(turn.text for turn in task.ask(example).prompt)
    except ValueError as error:
        raise TaskInputError(f"task {example.task}: {error}") from error


def _example(task: Task, *, name: str, pictures: Sequence[Picture], question: str, options: Sequence[str]) -> Example:
    facts: dict[str, object] = {
        "kind": getattr(task, "kind", None),
        "question": question,
        "netlist": NETLIST_PLACEHOLDER,
        "probe": "v(1,0)",
        "label": 0,
        "answer": "A" if options else ANSWER_PLACEHOLDER,
        "options": list(options),
        **dict.fromkeys(("hint", "lecture", "solution", "caption"), ""),
    }
    return Example(id="image", task=name, images=tuple(pictures), facts=facts)
