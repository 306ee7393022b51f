"""Test that every generated question has the right digit as its answer, and is in one split."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

from circuitvlm.core.record import Example
from circuitvlm.data.digit_words import KINDS, QUESTIONS, WORDS, DigitWords
from circuitvlm.task.instruct import Instruct

SPLITS = {
    "train": {"count": 400, "share": 0.8},
    "validation": {"count": 60, "share": 0.1},
    "test": {"count": 60, "share": 0.1},
}


def source(**changes: Any) -> DigitWords:
    settings: dict[str, Any] = {"seed": 0, "answer": "The digit is {label}.", "kinds": list(KINDS), "splits": SPLITS}
    return DigitWords(**settings | changes)


def answers(kind: str) -> dict[str, int]:
    """Question -> the digit of its answer."""
    words = source(kinds=[kind], splits={"train": {"count": 400, "share": 1.0}})
    digits: dict[str, int] = {}
    for example in words.examples("train"):
        answer = re.fullmatch(r"The digit is (\d)\.", str(example.facts["answer"]))
        assert answer
        digits[str(example.facts["question"])] = int(answer[1])
    return digits


def numbers(text: str) -> list[int]:
    """Figures and number words, as they come."""
    number_words = re.findall(rf"\d|\b(?:ten|{'|'.join(WORDS)})\b", text)
    return [int(word) if word.isdigit() else [*WORDS, "ten"].index(word) for word in number_words]


def prefix_of(question: str) -> str:
    """The text before the question."""
    return next(question.removesuffix(end) for end in QUESTIONS if question.endswith(end))


@pytest.mark.parametrize("kind", ["shown", "hidden"])
def test_the_only_digit_before_the_question_is_the_answer(kind: str) -> None:
    for question, digit in answers(kind).items():
        assert numbers(prefix_of(question)) == [digit], question


def test_the_most_frequent_figure_is_the_answer_and_no_other_is_as_frequent() -> None:
    for question, digit in answers("frequent").items():
        (first, count), *wrong_counts = Counter(numbers(prefix_of(question))).most_common()
        assert first == digit, question
        assert wrong_counts[0][1] < count, question


def test_a_named_digit_is_the_answer() -> None:
    for question, digit in answers("which").items():
        assert numbers(question) == [digit], question


def test_the_neighbour_is_one_away_on_the_side_that_is_asked_for() -> None:
    for question, digit in answers("neighbour").items():
        (start,) = numbers(question)
        assert digit == start + (-1 if "before" in question else 1), question


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
    words = source()
    questions = {split: {str(e.facts["question"]) for e in words.examples(split)} for split in words.splits()}
    assert not questions["train"] & questions["test"]
    assert not questions["train"] & questions["validation"]
    assert not questions["validation"] & questions["test"]


def test_another_count_of_a_split_moves_no_example() -> None:
    fewer = source(splits=SPLITS | {"train": {"count": 7, "share": 0.8}})
    assert list(fewer.examples("train")) == source().examples("train")[:7]
    assert list(fewer.examples("test")) == list(source().examples("test"))


def test_another_seed_asks_other_questions() -> None:
    def questions(words: DigitWords) -> list[object]:
        return [e.facts["question"] for e in words.examples("train")]

    assert questions(source()) != questions(source(seed=1))


def test_the_task_asks_the_question_and_reads_the_answer() -> None:
    task = Instruct(prompt="{question}", metrics={})
    example: Example = source().examples("train")[0]
    assert task.fits(example)
    assert task.ask(example).prompt[-1].text == example.facts["question"]
    assert task.read(str(example.facts["answer"])) == task.truth(example)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kinds": ["shwon"]}, "expected .*, got 'shwon'. Did you mean 'shown'"),
        ({"kinds": []}, "kinds: expected one or more"),
        ({"answer": "It is seven."}, "answer: expected a text with {label}"),
        ({"splits": {"train": {"share": 1.0}}}, "count: expected 1 or more, got None"),
        ({"splits": {"train": {"count": 3, "share": 0.5}}}, "sum to 0.5"),
    ],
)
def test_what_cannot_be_made_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        source(**changes)


def test_a_split_that_is_not_stated_is_refused() -> None:
    with pytest.raises(ValueError, match="got 'tset'"):
        source().examples("tset")
