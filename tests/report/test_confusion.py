"""Does the matrix count what was taken for what, and can it be seen?"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from circuitvlm.report.confusion import confusion, confusion_of
from circuitvlm.report.grade import Grades, Item
from circuitvlm.task.digit import Digit

READ = ["0", "1", None, "1", "x", "2", "0"]
TRUE = ["0", "1", "1", "2", "2", "2", "2"]


def test_every_item_is_counted_once_in_the_row_of_its_truth() -> None:
    found = confusion(READ, TRUE, labels="012")
    assert found.counts.tolist() == [[1, 0, 0, 0], [0, 1, 0, 1], [1, 1, 1, 1]]
    assert found.counts.sum() == len(TRUE)


def test_the_table_says_the_counts_and_the_share_that_is_right() -> None:
    lines = confusion(READ, TRUE, labels="0123").table().splitlines()
    assert lines[0] == "| true \\ read | 0 | 1 | 2 | 3 | unread | n | right, % |"
    assert lines[4] == "| **2** | 1 | 1 | 1 | 0 | 1 | 4 | 25.0 |"
    assert lines[5] == "| **3** | 0 | 0 | 0 | 0 | 0 | 0 | – |"
    assert len({line.count("|") for line in lines}) == 1


def test_a_truth_that_is_no_label_is_told() -> None:
    with pytest.raises(ValueError, match="'9' is true and no label"):
        confusion(["1"], ["9"], labels="012")


def test_a_darker_square_is_a_larger_share_and_empty_ones_are_white() -> None:
    def grey(read: str) -> float:
        png = confusion(list(read), list("0" * len(read)), labels="01").picture(title="t")
        shown = Image.open(io.BytesIO(png)).convert("L")
        return float(np.asarray(shown).mean())

    assert grey("0000") < grey("0101")
    assert confusion([], [], labels="01").picture(title="").startswith(b"\x89PNG")


def test_the_items_of_a_task_with_labels_are_read_anew() -> None:
    task = Digit(prompt="?", answer="The digit is {label}.", reading="first", metrics={})

    def item(key: str, reply: str, wanted: str) -> Item:
        return Item(id=reply, task=key, tags={}, reply=reply, wanted=wanted, scores={})

    said = [("It's a seven.", "The digit is 7."), ("17", "The digit is 1."), ("a 3", "The digit is 8.")]
    graded = Grades((*(item("digit", *pair) for pair in said), item("other", "4", "R1 1 2")))
    found: Any = confusion_of(graded, "digit", task)
    assert found.counts[7, 7] == found.counts[1, 10] == found.counts[8, 3] == 1
    assert found.counts.sum() == 3
    assert confusion_of(graded, "nobody", task) is None
    assert confusion_of(graded, "other", Plain()) is None


class Plain:
    """A task that states no labels."""

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)
