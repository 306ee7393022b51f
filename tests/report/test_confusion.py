"""Test the counts, the table and the picture of the confusion of labels."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from circuitvlm.report.confusion import confusion, confusion_of
from circuitvlm.report.grade import Grades, Item
from circuitvlm.task.digit import Digit

ANSWERS = ["0", "1", None, "1", "x", "2", "0"]
TRUTH = ["0", "1", "1", "2", "2", "2", "2"]


def test_every_item_is_counted_once_in_the_row_of_its_truth() -> None:
    matrix = confusion(ANSWERS, TRUTH, labels="012")
    assert matrix.counts.tolist() == [[1, 0, 0, 0], [0, 1, 0, 1], [1, 1, 1, 1]]
    assert matrix.counts.sum() == len(TRUTH)


def test_the_table_says_the_counts_and_the_share_that_is_right() -> None:
    lines = confusion(ANSWERS, TRUTH, labels="0123").table().splitlines()
    assert lines[0] == "| true \\ read | 0 | 1 | 2 | 3 | unread | n | right, % |"
    assert lines[4] == "| **2** | 1 | 1 | 1 | 0 | 1 | 4 | 25.0 |"
    assert lines[5] == "| **3** | 0 | 0 | 0 | 0 | 0 | 0 | – |"
    assert len({line.count("|") for line in lines}) == 1


def test_a_truth_that_is_no_label_is_told() -> None:
    with pytest.raises(ValueError, match="labels 0, 1, 2 as truth, got '9'"):
        confusion(["1"], ["9"], labels="012")


def test_a_darker_square_is_a_larger_share_and_empty_ones_are_white() -> None:
    def grey(answers: str) -> float:
        png = confusion(list(answers), list("0" * len(answers)), labels="01").picture(title="t")
        image = Image.open(io.BytesIO(png)).convert("L")
        return float(np.asarray(image).mean())

    assert grey("0000") < grey("0101")
    assert confusion([], [], labels="01").picture(title="").startswith(b"\x89PNG")


def test_the_items_of_a_task_with_labels_are_read_anew() -> None:
    task = Digit(prompt="?", answer="The digit is {label}.", reading="first", metrics={})

    def item(key: str, reply: str, wanted: str) -> Item:
        return Item(id=reply, task=key, tags={}, reply=reply, wanted=wanted, scores={})

    pairs = [("It's a seven.", "The digit is 7."), ("17", "The digit is 1."), ("a 3", "The digit is 8.")]
    grades = Grades((*(item("digit", *pair) for pair in pairs), item("other", "4", "R1 1 2")))
    matrix: Any = confusion_of(grades, "digit", task)
    assert matrix.counts[7, 7] == matrix.counts[1, 10] == matrix.counts[8, 3] == 1
    assert matrix.counts.sum() == 3
    assert confusion_of(grades, "nobody", task) is None
    assert confusion_of(grades, "other", Plain()) is None


class Plain:
    """A task that states no labels."""

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)
