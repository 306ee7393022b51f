"""Is the official answer read as ScienceQA's own evaluation reads it?"""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circuitvlm.task.choice import read_first, read_official

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

READ = [
    ("The answer is B. BECAUSE: Magnets attract iron.", 1),
    ("BECAUSE: Magnets attract iron. The answer is A.", 0),
    ("The answer is E", None),
    ("The answer is E\n", None),
    ("The answer is E\nBECAUSE: it is.", None),
    ("The answer is E \n", 4),
    ("\nThe answer is E,", 4),
    ("The answer is B.\nThe answer is", 1),
    ("The answer is Z.", 25),
    ("The answer is A. BECAUSE: The answer is not B.", 0),
    ("The answer is A. BECAUSE: .. The answer is B.", None),
    ("The answer is A. The answer is A.", None),
    ("The answer is B. BECAUSE: it is. The answer is B", 1),
    ("The answer is AThe answer is B.", 0),
    ("The answer is AB.", 0),
    ("The answer is A\u2028", 0),
    ("The answer is Ä.", None),
    ("The answer is That.", 19),  # the original's own fault
    ("The answer is (B). The answer is C.", 2),
    ("the answer is A.", None),
    ("The answer is b.", None),
    ("The answer is (A).", None),
    ("The answer  is A.", None),
    ("The answer is\nA.", None),
    ("", None),
    ("A", None),
]


@pytest.mark.parametrize(("text", "index"), READ)
def test_one_hit_is_an_answer(text: str, index: int | None) -> None:
    assert read_official(text) == index


OFFICIAL = re.compile(r"The answer is ([A-Z]).")
"""ScienceQA's own, and LaVIN's: a fact, as their evaluations state it."""

WORDS = (
    "The answer is ", "The answer is", "the answer is B.", "The answer  is C.", "BECAUSE: ", "A", "C", "Z", "a", "Ä",
    "(", ")", "(A)", " ", ".", ",", "\n", "\r", "\u2028", "\0", "\\n",
)  # fmt: skip
texts = st.one_of(
    st.lists(st.sampled_from(WORDS), max_size=12).map("".join), st.text(max_size=40), st.from_regex(OFFICIAL)
)


@given(texts)
def test_it_is_what_the_official_evaluation_says(text: str) -> None:
    found = OFFICIAL.findall(text)
    assert read_official(text) == (LETTERS.index(found[0]) if len(found) == 1 else None)


@given(texts)
def test_the_first_is_what_lavins_evaluation_says(text: str) -> None:
    found = OFFICIAL.findall(text)
    assert read_first(text) == (LETTERS.index(found[0]) if found else None)


def test_thousands_of_replies_in_one_text_are_read_at_once() -> None:
    assert read_official("The answer is A" * 200_000) is None
    assert read_first("The answer is b. " * 200_000 + "The answer is B.") == 1
