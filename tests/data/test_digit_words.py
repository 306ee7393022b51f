"""Is every generated question answered by the right digit, and does it lie in one split?"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

from circuitvlm.core.record import Example
from circuitvlm.data.digit_words import ASKED, KINDS, WORDS, DigitWords
from circuitvlm.task.instruct import Instruct

SPLITS = {
    "train": {"count": 400, "share": 0.8},
    "validation": {"count": 60, "share": 0.1},
    "test": {"count": 60, "share": 0.1},
}


def source(**changed: Any) -> DigitWords:
    said: dict[str, Any] = {"seed": 0, "answer": "The digit is {label}.", "kinds": list(KINDS), "splits": SPLITS}
    return DigitWords(**said | changed)


def answers(kind: str) -> dict[str, int]:
    """Question -> the digit that is said to answer it."""
    one = source(kinds=[kind], splits={"train": {"count": 400, "share": 1.0}})
    found: dict[str, int] = {}
    for example in one.examples("train"):
        answer = re.fullmatch(r"The digit is (\d)\.", str(example.facts["answer"]))
        assert answer
        found[str(example.facts["question"])] = int(answer[1])
    return found


def numbers(text: str) -> list[int]:
    """Figures and number words, as they come."""
    said = re.findall(rf"\d|\b(?:ten|{'|'.join(WORDS)})\b", text)
    return [int(word) if word.isdigit() else [*WORDS, "ten"].index(word) for word in said]


def shown(question: str) -> str:
    """What stands before the question."""
    return next(question.removesuffix(asked) for asked in ASKED if question.endswith(asked))


@pytest.mark.parametrize("kind", ["shown", "hidden"])
def test_the_only_digit_before_the_question_is_the_answer(kind: str) -> None:
    for question, digit in answers(kind).items():
        assert numbers(shown(question)) == [digit], question


def test_the_most_frequent_figure_is_the_answer_and_no_other_is_as_frequent() -> None:
    for question, digit in answers("frequent").items():
        (first, most), *others = Counter(numbers(shown(question))).most_common()
        assert first == digit, question
        assert others[0][1] < most, question


def test_a_named_digit_is_the_answer() -> None:
    for question, digit in answers("which").items():
        assert numbers(question) == [digit], question


def test_the_neighbour_is_one_away_on_the_side_that_is_asked_for() -> None:
    for question, digit in answers("neighbour").items():
        (given,) = numbers(question)
        assert digit == given + (-1 if "before" in question else 1), question


def test_a_sum_is_right() -> None:
    for question, digit in answers("sum").items():
        first, second = numbers(question)
        assert digit == (first - second if " - " in question else first + second), question


def test_the_larger_and_the_smaller_of_two_are_right() -> None:
    for question, digit in answers("larger").items():
        two = numbers(question)
        assert digit == (max(two) if "larger" in question else min(two)), question
        assert two[0] != two[1], question


@pytest.mark.parametrize("kind", list(KINDS))
def test_each_digit_is_an_answer_of_every_kind(kind: str) -> None:
    assert set(answers(kind).values()) == set(range(10))


def test_no_question_lies_in_two_splits() -> None:
    one = source()
    asked = {split: {str(e.facts["question"]) for e in one.examples(split)} for split in one.splits()}
    assert not asked["train"] & asked["test"]
    assert not asked["train"] & asked["validation"]
    assert not asked["validation"] & asked["test"]


def test_another_count_of_a_split_moves_no_example() -> None:
    fewer = source(splits=SPLITS | {"train": {"count": 7, "share": 0.8}})
    assert list(fewer.examples("train")) == source().examples("train")[:7]
    assert list(fewer.examples("test")) == list(source().examples("test"))


def test_another_seed_asks_other_questions() -> None:
    def asked(one: DigitWords) -> list[object]:
        return [e.facts["question"] for e in one.examples("train")]

    assert asked(source()) != asked(source(seed=1))


def test_the_task_asks_the_question_and_reads_the_answer() -> None:
    task = Instruct(prompt="{question}", metrics={})
    example: Example = source().examples("train")[0]
    assert task.fits(example)
    assert task.ask(example).prompt[-1].text == example.facts["question"]
    assert task.read(str(example.facts["answer"])) == task.truth(example)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"kinds": ["shwon"]}, "no kind 'shwon'"),
        ({"kinds": []}, "wanted a kind"),
        ({"answer": "It is seven."}, "label"),
        ({"splits": {"train": {"share": 1.0}}}, "count None"),
        ({"splits": {"train": {"count": 3, "share": 0.5}}}, "sum to 0.5"),
    ],
)
def test_what_cannot_be_made_is_refused(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        source(**changed)


def test_a_split_that_is_not_stated_is_refused() -> None:
    with pytest.raises(ValueError, match="no split 'tset'"):
        source().examples("tset")
