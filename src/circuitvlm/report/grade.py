"""Grade replies: compute the score of every item by every metric of its task."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from circuitvlm.core.contract import Task
from circuitvlm.core.record import Example, Reply
from circuitvlm.report.significance import Interval, mean
from circuitvlm.runtime.folders.run_folder import write_atomic
from circuitvlm.runtime.folders.saved_file import FolderError, read_json
from circuitvlm.runtime.progress import bar


class MissingReplyError(ValueError):
    """A question has no reply on disk; the message names the first ids."""


@dataclass(frozen=True, slots=True)
class Item:
    """A graded reply: the question's id and tags, the reply, the expected reply (`wanted`), and scores from 0 to 1.

    `scores` has each metric's score, `weights` those of the scores whose weight is not 1. `cut`: whether the reply
    reached max_new_tokens before its end.
    """

    id: str
    task: str
    tags: Mapping[str, str]
    reply: str
    wanted: str
    scores: Mapping[str, float]
    weights: Mapping[str, float] = field(default_factory=dict)
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Grades:
    """Every item of one split."""

    items: tuple[Item, ...]

    def values(self, metric: str) -> list[float]:
        """The scores of a metric, named task/metric, in the items' order; their mean is the metric.

        Empty where no item has one: a split of other tasks, scores from before the task had this metric, or weights
        that are all 0. Weighted scores are linearised around their weighted mean, which gives intervals and differences
        of a ratio of sums to first order (R. S. Woodruff 1971, J. Am. Stat. Assoc. 66); one may lie outside of [0, 1].
        """
        return _linear(self._weighted_scores(metric))

    def metrics(self) -> tuple[str, ...]:
        """The names task/metric of all scores, in the items' order."""
        return tuple(dict.fromkeys(f"{item.task}/{name}" for item in self.items for name in item.scores))

    def interval(self, metric: str) -> Interval:
        """The mean of a metric with its 95 % interval, which items without weight do not make any narrower."""
        estimate = mean(_linear([(score, weight) for score, weight in self._weighted_scores(metric) if weight]))
        return Interval(estimate.value, max(0.0, estimate.low), min(1.0, estimate.high))

    def means(self) -> dict[str, float]:
        """The mean of each metric that has values."""
        return {metric: self.interval(metric).value for metric in self.metrics() if self.values(metric)}

    def cut_counts(self) -> dict[str, int]:
        """Task -> number of replies that were cut, for tasks with such replies."""
        return dict(Counter(item.task for item in self.items if item.cut))

    def save(self, path: Path) -> None:
        """Write JSON with the means, their intervals, the numbers of cut replies, and every item."""
        summary = {m: {"count": len(self.values(m)), **asdict(self.interval(m))} for m in self.means()}
        content = {"metrics": summary, "cut": self.cut_counts(), "items": [asdict(item) for item in self.items]}
        write_atomic(path, json.dumps(content, indent=1, ensure_ascii=False))

    @staticmethod
    def load(path: Path) -> Grades:
        """Read what `save` wrote. Raises FolderError for other content."""
        content = read_json(path, dict)
        try:
            return Grades(tuple(Item(**item) for item in content["items"]))
        except (KeyError, TypeError) as error:
            raise FolderError(
                f"{path}: expected the scores of an evaluation, got {error}; grade the run again"
            ) from error

    def _weighted_scores(self, metric: str) -> list[tuple[float, float]]:
        """Score and weight of each item that has the metric."""
        task, _, name = metric.rpartition("/")
        items = (item for item in self.items if item.task == task and name in item.scores)
        return [(item.scores[name], item.weights.get(name, 1.0)) for item in items]


def grade(
    questions: Iterable[Example], replies: Mapping[str, Reply], tasks: Mapping[str, Task], *, label: str
) -> Grades:
    """Score each question's reply by its task's metrics. Raises MissingReplyError for a question without a reply."""
    questions = list(questions)
    if missing_ids := [question.id for question in questions if question.id not in replies]:
        raise MissingReplyError(
            f"{label}: expected a reply to each question, got none to {len(missing_ids)} of {len(questions)}, "
            f"such as {missing_ids[:3]}; run the same command again to generate them"
        )
    items = (_item(question, replies[question.id], tasks[question.task]) for question in questions)
    return Grades(tuple(bar(items, total=len(questions), label=f"grading {label}")))


def check_same_items(systems: Mapping[str, Mapping[str, Grades]]) -> None:
    """Raise ValueError where a system (name -> split -> grades) did not answer the first one's items of a split."""
    (first_name, first), *further_systems = systems.items()
    for name, grades in further_systems:
        for split, of_split in first.items():
            if split in grades and [item.id for item in of_split.items] != [item.id for item in grades[split].items]:
                raise ValueError(
                    f"expected replies to the same items of {split!r}, which paired differences need; "
                    f"got other items in {name} than in {first_name}"
                )


def _linear(weighted_scores: Sequence[tuple[float, float]]) -> list[float]:
    """Values whose mean is the weighted mean of the scores; none where all weights are 0."""
    total = sum(weight for _, weight in weighted_scores)
    if not total:
        return []
    if all(weight == 1 for _, weight in weighted_scores):
        return [score for score, _ in weighted_scores]
    ratio = sum(score * weight for score, weight in weighted_scores) / total
    factor = len(weighted_scores) / total
    return [ratio + factor * weight * (score - ratio) for score, weight in weighted_scores]


def _item(question: Example, reply: Reply, task: Task) -> Item:
    prediction, truth = task.read(reply.text), task.truth(question)
    scores = {name: metric.score(prediction, truth) for name, metric in task.metrics.items()}
    return Item(
        id=question.id,
        task=question.task,
        tags=dict(question.tags),
        reply=reply.text,
        wanted=task.ask(question).reply,
        scores={name: score.value for name, score in scores.items()},
        weights={name: score.weight for name, score in scores.items() if score.weight != 1},
        cut=reply.cut,
    )
