"""Is a digit asked for in the words that are stated, and read out of whatever a model says?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circuitvlm.core.record import Example, Picture
from circuitvlm.metric.exact import Exact
from circuitvlm.task.digit import Digit
from tests.steps import growth

SHOWN = Picture(Path("seven.png"))


def task(**changed: Any) -> Digit:
    said = {"prompt": "What digit is this?", "answer": "The digit is {label}.", "reading": "first", "metrics": {}}
    return Digit(**{**said, **changed})


def example(label: Any = 7, kind: str = "digit") -> Example:
    return Example(id="test-00001", task="digit", images=(SHOWN,), facts={"kind": kind, "label": label})


READ = {
    "seven": "7",
    "Seven": "7",
    "SEVEN!": "7",
    "The digit is 7.": "7",
    "The digit is 7": "7",
    "It's a 7, not a 1": "7",
    "It is a seven (7).": "7",
    "**7**": "7",
    r"\boxed{7}": "7",
    "'7'": "7",
    "answer:7": "7",
    "The digit is...7": "7",
    "I see a 0": "0",
    "zero": "0",
    "Nine, I think; or 4": "9",
    "7\n\n3": "7",
    "digit_7": "7",
    "17": None,
    "17, or 7": None,
    "It's 17.": None,
    "7.5": None,
    "0.7": None,
    "07": None,
    "twenty-seven": None,
    "seventeen": None,
    "Ten": None,
    "someone": None,
    "x7y": None,
    "A 7th try": None,
    "7.5x": None,
    "": None,
    "I cannot tell.": None,
    "٧": None,
}


@pytest.mark.parametrize(("text", "wanted"), READ.items())
def test_the_first_whole_number_or_number_word_is_read(text: str, wanted: str | None) -> None:
    assert task().read(text) == wanted


@given(label=st.integers(0, 9), before=st.sampled_from(["", "It's a ", "Digit: ", "I think, ", "(", "the "]))
def test_every_digit_is_read_as_figure_and_as_word(label: int, before: str) -> None:
    word = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"][label]
    for said in (str(label), word, word.upper(), word.title()):
        assert task().read(f"{before}{said}, not 3") == str(label)


@given(st.integers(10, 10**30), st.text(max_size=20))
def test_a_larger_number_is_never_a_digit(number: int, after: str) -> None:
    assert task().read(f"{number} {after}") is None


def test_reading_is_bounded_in_time() -> None:
    def read_texts(size: int) -> None:
        for text in ("9" * size, "9." * size, "seven" * (size // 5), "." * size + "7"):
            assert task().read(text) is None

    assert growth(read_texts, 250_000) < 9  # 4 where time is linear, 16 where it is quadratic


def test_question_and_answer_are_as_stated() -> None:
    asked = task(prompt="What is this number?", answer="{label}").ask(example(3))
    assert [(turn.role, turn.text, turn.images) for turn in asked.prompt] == [
        ("user", "What is this number?", (SHOWN,))
    ]
    assert (asked.reply, asked.choices) == ("3", ())
    assert task().ask(example(3)).reply == "The digit is 3."


def test_likelihood_leaves_the_ten_answers_alone_to_say() -> None:
    asked = task(reading="likelihood").ask(example(0))
    assert asked.choices == tuple(f"The digit is {k}." for k in range(10))
    assert asked.reply == asked.choices[0]


def test_only_the_right_digit_is_right() -> None:
    for label in range(10):
        right = [text for text in "0123456789" if Exact().score(task().read(text), task().truth(example(label))).value]
        assert right == [str(label)]


@pytest.mark.parametrize("answer", ["The digit is seven.", "", "1. The digit is {label}", "It is {label}7"])
def test_an_answer_that_would_not_be_read_back_is_refused(answer: str) -> None:
    with pytest.raises(ValueError, match=r"expected a text with \{label\}"):
        task(answer=answer)


@pytest.mark.parametrize("label", [None, 10, -1, "7", True])
def test_an_example_without_a_label_is_refused(label: Any) -> None:
    with pytest.raises(ValueError, match=r"'test-00001'.*0 to 9"):
        task().ask(example(label))
    assert not task().fits(example(7, kind="choice"))
