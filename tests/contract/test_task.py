"""Does every task of conf/task keep its promises, on the examples of small sources? And would we notice if not?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from circuitvlm.core.record import Dialogue, Example, Score, Turn
from circuitvlm.runtime.config.allow_list import instantiate
from tests.contract import parts
from tests.contract.sources import GARBAGE, fitting
from tests.steps import max_calls

CALLS = 12_000_000
"""Longest time to read one reply: grading must not hang on what a model says."""


def promise_best(task: Any, examples: Sequence[Example]) -> None:
    """The wanted reply, read back, has the best score of every metric."""
    assert task.metrics, "a task without metrics"
    for example in examples:
        reply = task.ask(example).reply
        read, truth = task.read(reply), task.truth(example)
        for name, metric in task.metrics.items():
            value = metric.score(read, truth).value
            assert value == 1, f"{example.id}: {name} gives the wanted reply {value}:\n{reply}"


def promise_names(task: Any, examples: Sequence[Example]) -> None:
    """A dialogue has its example's id and task, and asks about its images."""
    for example in examples:
        dialogue = task.ask(example)
        assert (dialogue.id, dialogue.task) == (example.id, example.task), f"{example.id} became {dialogue.id}"
        shown = [picture for turn in dialogue.prompt for picture in turn.images]
        assert set(example.images) <= set(shown), f"{example.id}: the question shows {shown}"


def promise_reading(task: Any, examples: Sequence[Example]) -> None:
    """Whatever a model says is read without an exception, in bounded time, and scored."""
    truth = task.truth(examples[0])
    for text in (*GARBAGE, *_cut(task.ask(examples[0]).reply)):
        with max_calls(CALLS, f"reading {text[:40]!r}"):
            try:
                read = task.read(text)
                scores = [metric.score(read, truth).value for metric in task.metrics.values()]
            except Exception as error:  # that there is none is the promise
                raise AssertionError(f"reading {text[:40]!r} raised {error!r}") from error
        assert all(0 <= score <= 1 for score in scores), f"{text[:40]!r} has the scores {scores}"


def promise_blind(task: Any, examples: Sequence[Example]) -> None:
    """Changing the answer leaves the prompt unchanged: some fact decides the reply and not the question.

    A fact may belong to both (the choices of a multiple choice), so facts are exchanged one at a time.
    """
    told = 0
    for example, other in zip(examples, (*examples[1:], examples[0]), strict=True):
        dialogue = task.ask(example)
        swapped = (_with_fact(example, key, other) for key in example.facts if key in other.facts)
        changed = [asked for each in swapped if (asked := _asked(task, each)) is not None]
        answers = [d for d in changed if d.reply != dialogue.reply]
        if answers:
            told += 1
            assert any(d.prompt == dialogue.prompt for d in answers), (
                f"{example.id}: the prompt changes with the answer"
            )
    assert told, "no example has another answer than the next"


def _asked(task: Any, example: Example) -> Dialogue | None:
    """None where the facts, one of them another example's, contradict each other."""
    try:
        return task.ask(example)
    except ValueError:
        return None


def _with_fact(example: Example, key: str, other: Example) -> Example:
    return replace(example, facts={**example.facts, key: other.facts[key]})


def _cut(reply: str) -> list[str]:
    """A good reply cut short at many places, as a bound on new tokens cuts it."""
    return [reply[:end] for end in range(0, len(reply), max(1, len(reply) // 40))]


# ------------------------------------------------------------------------------------------------------- what is there


@pytest.mark.parametrize("name", parts.names("task"))
@parts.each_promise(globals())
def test_task_keeps(promise: parts.Promise, name: str, cache: Path) -> None:
    for key, said in parts.sections("task", name).items():
        task = instantiate(said)
        parts.check_promise(promise, task, fitting(key, task, cache))


# -------------------------------------------------------------------------------------- and we would notice if it broke


class Same:
    def score(self, predicted: Any, truth: Any) -> Score:
        return Score(value=float(predicted == truth))


class Echo:
    """A task that keeps every promise: asks for a word. Its faults are the subclasses."""

    metrics: dict[str, Any] = {"same": Same()}  # noqa: RUF012

    def fits(self, example: Example) -> bool:
        return "word" in example.facts

    def ask(self, example: Example) -> Dialogue:
        turn = Turn(role="user", text=self.question(example), images=example.images)
        return Dialogue(id=example.id, task=example.task, prompt=(turn,), reply=str(example.facts["word"]))

    def question(self, example: Example) -> str:
        return "Which word?"

    def read(self, text: str) -> str | None:
        return text or None

    def truth(self, example: Example) -> str:
        return str(example.facts["word"])


class Misreading(Echo):
    def read(self, text: str) -> str | None:
        return text.lower()


class Nameless(Echo):
    def ask(self, example: Example) -> Dialogue:
        return replace(super().ask(example), id="0")


class Fragile(Echo):
    def read(self, text: str) -> str | None:
        return text.split()[0]


class Telling(Echo):
    def question(self, example: Example) -> str:
        return f"Is it {example.facts['word']}?"


EXAMPLES = [Example(id=f"e{k}", task="echo", facts={"word": word}) for k, word in enumerate(("Ohm", "Farad", "Henry"))]
BROKEN: list[tuple[Callable[..., None], type[Echo], str]] = [
    (promise_best, Misreading, "gives the wanted reply"),
    (promise_names, Nameless, "became 0"),
    (promise_reading, Fragile, "raised"),
    (promise_blind, Telling, "changes with the answer"),
]


@pytest.mark.parametrize(("promise", "kind", "said"), BROKEN, ids=[parts.name_of(row[0]) for row in BROKEN])
def test_a_broken_task_is_noticed(promise: parts.Promise, kind: type[Echo], said: str) -> None:
    promise(Echo(), EXAMPLES)
    with pytest.raises(AssertionError, match=said):
        promise(kind(), EXAMPLES)


def test_every_promise_is_proven() -> None:
    assert parts.unproven_promises(globals(), BROKEN) == []
