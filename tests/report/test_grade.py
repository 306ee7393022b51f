"""Test grading: each question once, by its own task, and the file of the scores."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from circuitvlm.core.record import Dialogue, Example, Reply, Score, Turn
from circuitvlm.report.grade import Grades, Item, MissingReplyError, grade
from circuitvlm.report.significance import wilson
from circuitvlm.report.table import cell, comparison


class Equal:
    def score(self, prediction: Any, truth: Any) -> Score:
        return Score(value=float(prediction == truth))


class Half:
    def score(self, prediction: Any, truth: Any) -> Score:
        return Score(value=0.5)


class Word:
    """A task that asks for the word of an example, in capitals or not."""

    def __init__(self, *, capitals: bool, metrics: dict[str, Any]) -> None:
        self.capitals, self.metrics = capitals, metrics

    def ask(self, example: Example) -> Dialogue:
        turn = Turn(role="user", text="Which word?")
        return Dialogue(id=example.id, task=example.task, prompt=(turn,), reply=self.truth(example))

    def read(self, text: str) -> str:
        return text.strip()

    def truth(self, example: Example) -> str:
        word = str(example.facts["word"])
        return word.upper() if self.capitals else word


TASKS = {
    "plain": Word(capitals=False, metrics={"same": Equal(), "half": Half()}),
    "loud": Word(capitals=True, metrics={"same": Equal()}),
}


def question(name: str, word: str, *, task: str = "plain", style: str = "iec") -> Example:
    return Example(id=name, task=task, facts={"word": word}, tags={"style": style})


def replies(**texts: str) -> dict[str, Reply]:
    return {name: Reply(id=name, task="plain", text=text) for name, text in texts.items()}


QUESTIONS = [
    question("a", "ohm"),
    question("b", "farad", style="american"),
    question("c", "henry", task="loud"),
    question("d", "volt", task="loud"),
]
REPLIES = replies(a=" ohm\n", b="no", c="HENRY", d="volt")


@pytest.fixture
def grades() -> Grades:
    return grade(QUESTIONS, REPLIES, TASKS, label="test")


def test_each_question_is_graded_by_its_own_task(grades: Grades) -> None:
    assert grades.metrics() == ("plain/same", "plain/half", "loud/same")
    assert grades.values("plain/same") == [1.0, 0.0]
    assert grades.values("loud/same") == [1.0, 0.0]
    assert grades.means() == {"plain/same": 0.5, "plain/half": 0.5, "loud/same": 0.5}
    assert (grades.items[0].reply, grades.items[0].wanted) == (" ohm\n", "ohm")


def test_a_missing_reply_is_an_error_with_its_id() -> None:
    with pytest.raises(MissingReplyError, match=r"test: .*got none to 2 of 4, such as \['b', 'd'\]"):
        grade(QUESTIONS, {name: REPLIES[name] for name in "ac"}, TASKS, label="test")


def test_a_reply_that_nobody_asked_for_counts_nothing(grades: Grades) -> None:
    assert grade(iter(QUESTIONS), REPLIES | replies(z="ohm"), TASKS, label="test") == grades


def test_a_metric_that_some_items_lack_has_the_scores_of_the_others(grades: Grades) -> None:
    assert grades.values("plain/none") == grades.values("none/same") == grades.values("loud/half") == []
    older = Grades(tuple(replace(item, scores={"same": 1.0}) for item in grades.items[:1]))
    assert Grades(older.items + grades.items[1:]).values("plain/half") == [0.5]


def test_replies_that_were_cut_are_counted_by_task_in_table_and_file(tmp_path: Path) -> None:
    cut = {name: replace(reply, cut=name in "bc") for name, reply in REPLIES.items()}
    grades, whole = (grade(QUESTIONS, texts, TASKS, label="test") for texts in (cut, REPLIES))
    assert grades.cut_counts() == {"plain": 1, "loud": 1}
    assert whole.cut_counts() == {}
    grades.save(tmp_path / "scores.json")
    assert json.loads((tmp_path / "scores.json").read_text())["cut"] == {"plain": 1, "loud": 1}
    assert Grades.load(tmp_path / "scores.json").cut_counts() == grades.cut_counts()
    table = comparison({"this run": {"test": grades, "seen": whole}, "base": {"test": whole, "seen": whole}}, notes={})
    rows = ["|  | task | test | seen |", "| --- | --- | --- | --- |", *(f"| this run | {t} | 1 | 0 |" for t in TASKS)]
    assert table.endswith("\n".join(["**replies cut at max_new_tokens**", "", *rows, ""]))
    assert "cut" not in comparison({"this run": {"test": whole}}, notes={})


def test_grades_come_back_from_the_disk(grades: Grades, tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    grades.save(path)
    assert Grades.load(path) == grades
    summary = json.loads(path.read_text())["metrics"]["plain/same"]
    assert summary["count"] == 2
    assert 0 <= summary["low"] < summary["value"] == 0.5 < summary["high"] <= 1


class Weighty:
    """A reply has a weight for each of its letters."""

    def score(self, prediction: Any, truth: Any) -> Score:
        return Score(value=float(prediction == truth), weight=float(len(prediction)))


def test_weighted_scores_are_a_ratio_of_sums_with_its_interval(tmp_path: Path) -> None:
    rng = random.Random(0)
    words = ["o" * rng.randint(1, 9) for _ in range(300)]
    questions = [Example(id=str(k), task="word", facts={"word": word}) for k, word in enumerate(words)]
    replies = {q.id: Reply(id=q.id, task="word", text=words[k] if k % 3 else "no") for k, q in enumerate(questions)}
    task = Word(capitals=False, metrics={"weighty": Weighty(), "same": Equal()})
    new_grades = grade(questions, replies, {"word": task}, label="test")
    new_grades.save(tmp_path / "grades.json")
    for grades in (new_grades, Grades.load(tmp_path / "grades.json")):
        sizes = [len(replies[q.id].text) for q in questions]
        right = sum(size for size, q in zip(sizes, questions, strict=True) if replies[q.id].text == q.facts["word"])
        interval = grades.interval("word/weighty")
        assert interval.value == pytest.approx(right / sum(sizes))
        assert 0 < interval.low < interval.value < interval.high <= 1
        assert interval.high - interval.low == pytest.approx(_ratio_width(new_grades), rel=0.15)
        assert grades.interval("word/same").value == pytest.approx(sum(grades.values("word/same")) / 300)


def _ratio_width(grades: Grades) -> float:
    """The width of the interval of the ratio itself, by a bootstrap over items."""
    pairs = np.array(
        [
            (item.scores["weighty"] * item.weights.get("weighty", 1), item.weights.get("weighty", 1))
            for item in grades.items
        ]
    )
    rng = np.random.default_rng(1)
    sums = [pairs[rng.integers(0, len(pairs), len(pairs))].sum(0) for _ in range(2000)]
    low, high = np.quantile([a / b for a, b in sums], [0.025, 0.975])
    return float(high - low)


def weighted_grades(*pairs: tuple[float, float]) -> Grades:
    """Items of one metric, with score and weight."""
    return Grades(
        tuple(
            Item(id=str(k), task="t", tags={}, reply="", wanted="", scores={"f1": score}, weights={"f1": weight})
            for k, (score, weight) in enumerate(pairs)
        )
    )


def test_a_field_that_nobody_wants_or_says_has_no_mean(tmp_path: Path) -> None:
    zero_weight_grades = weighted_grades((1.0, 0.0), (1.0, 0.0))
    assert zero_weight_grades.values("t/f1") == []
    assert zero_weight_grades.metrics() == ("t/f1",)
    assert zero_weight_grades.means() == {}
    assert cell(zero_weight_grades, "t/f1") == "–"
    zero_weight_grades.save(tmp_path / "scores.json")
    assert json.loads((tmp_path / "scores.json").read_text())["metrics"] == {}
    assert Grades.load(tmp_path / "scores.json") == zero_weight_grades


def test_items_without_weight_make_no_interval_narrower() -> None:
    two_items, hundred_items = (
        weighted_grades((1.0, 4.0), (1.0, 6.0)),
        weighted_grades((1.0, 4.0), (1.0, 6.0), *[(1.0, 0.0)] * 98),
    )
    assert hundred_items.interval("t/f1") == two_items.interval("t/f1") == wilson(2, 2)
    assert len(hundred_items.values("t/f1")) == 100, "in pairs with another system's"
    three_weighted = weighted_grades((1.0, 4.0), (0.5, 6.0), (0.0, 2.0), *[(1.0, 0.0)] * 50)
    assert three_weighted.interval("t/f1").value == pytest.approx(7 / 12)
    assert three_weighted.interval("t/f1") == weighted_grades((1.0, 4.0), (0.5, 6.0), (0.0, 2.0)).interval("t/f1")
