"""What may a task know of an image that nobody has labelled? What a person says; all else is made up, and not asked.

A task's prompt does not depend on the answer, which a person who asks does not have: any answer stands for it.
"""

from __future__ import annotations

from collections.abc import Sequence

from circuitvlm.core.contract import Task
from circuitvlm.core.record import Example, Picture

ANY = "R1 1 0 1"
"""Stands for a circuit that nobody knows."""

FIELDS = '{"any": "1"}'
"""Stands for any other answer: fields, or a text."""

_MARK = "\ue000"


class AskError(ValueError):
    """A task that cannot be asked with what was said; the message says what it wants."""


def unlabelled(
    task: Task, *, name: str, pictures: Sequence[Picture], question: str | None, options: Sequence[str]
) -> Example:
    """What the task asks about, its `name` in it.

    Raises AskError where the task wants a question or options that were not given, and where it has no use for those
    that were.
    """
    if options and not _takes_options(task):
        raise AskError(f"the task {name} has no use for options")
    if not options and _takes_options(task):
        raise AskError(f"the task {name} wants the question's options, two or more")
    takes = _takes_question(task, name=name, options=options)
    if question is None and takes:
        raise AskError(f"the task {name} wants a question in words")
    if question is not None and not takes:
        raise AskError(f"the task {name} asks in words of its own, and has no use for {question!r}")
    example = _example(task, name=name, pictures=pictures, question=question or "", options=options)
    try:
        task.ask(example)
    except ValueError as error:
        raise AskError(f"the task {name} cannot be asked so: {error}") from error
    return example


def _takes_options(task: Task) -> bool:
    return getattr(task, "kind", None) == "choice"


def _takes_question(task: Task, *, name: str, options: Sequence[str]) -> bool:
    """Whether the question's words come into the prompt."""
    try:
        asked = task.ask(_example(task, name=name, pictures=(), question=_MARK, options=options))
    except ValueError as error:
        raise AskError(f"the task {name} cannot be asked so: {error}") from error
    return any(_MARK in turn.text for turn in asked.prompt)


def _example(task: Task, *, name: str, pictures: Sequence[Picture], question: str, options: Sequence[str]) -> Example:
    kind = getattr(task, "kind", None)
    facts: dict[str, object] = {
        "kind": kind,
        "question": question,
        "netlist": ANY,
        "probe": "v(1,0)",
        "label": 0,
        "answer": "A" if options else FIELDS,
        "options": list(options),
        **dict.fromkeys(("hint", "lecture", "solution", "caption"), ""),
    }
    return Example(id="image", task=name, images=tuple(pictures), facts=facts)
