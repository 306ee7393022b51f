"""How well were these questions answered? Replies in, scores of every item and metric out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from circuitvlm.core.contract import Task
from circuitvlm.core.record import Example, Reply
from circuitvlm.report.significance import Interval, mean
from circuitvlm.runtime.folders.run_folder import write_atomic
from circuitvlm.runtime.progress import bar


class MissingReplyError(ValueError):
    """Some question has no reply on disk; the message names the first ids."""


@dataclass(frozen=True, slots=True)
class Item:
    """One graded reply: the question's id and tags, what was said and wanted, and each metric's score (0 to 1).

    `weights` has those of the scores whose weight is not 1.
    """

    id: str
    task: str
    tags: Mapping[str, str]
    reply: str
    wanted: str
    scores: Mapping[str, float]
    weights: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Grades:
    """Every item of one split."""

    items: tuple[Item, ...]

    def values(self, metric: str) -> list[float]:
        """The scores of a metric, named task/metric, in the items' order; their mean is the metric.

        Empty where no item has one: a split of other kinds, scores from before the task had this metric, or weights
        that are all 0. Weighted scores are linearised around their weighted mean, which gives intervals and differences
        of a ratio of sums to first order (R. S. Woodruff 1971, J. Am. Stat. Assoc. 66); one may lie outside of [0, 1].
        """
        return _linear(self._scored(metric))

    def metrics(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(f"{item.task}/{name}" for item in self.items for name in item.scores))

    def interval(self, metric: str) -> Interval:
        """The mean of a metric with its 95 % interval, which items without weight do not make any narrower."""
        found = mean(_linear([(score, weight) for score, weight in self._scored(metric) if weight]))
        return Interval(found.value, max(0.0, found.low), min(1.0, found.high))

    def means(self) -> dict[str, float]:
        """The mean of each metric that has values."""
        return {metric: self.interval(metric).value for metric in self.metrics() if self.values(metric)}

    def where(self, tag: str, value: str) -> Grades:
        """The items that carry this tag."""
        return Grades(tuple(item for item in self.items if item.tags.get(tag) == value))

    def save(self, path: Path) -> None:
        """JSON with the means, their intervals, and every item."""
        summary = {m: {"count": len(self.values(m)), **asdict(self.interval(m))} for m in self.means()}
        body = {"metrics": summary, "items": [asdict(item) for item in self.items]}
        write_atomic(path, json.dumps(body, indent=1, ensure_ascii=False))

    @staticmethod
    def load(path: Path) -> Grades:
        body = json.loads(path.read_text(encoding="utf-8"))
        return Grades(tuple(Item(**item) for item in body["items"]))

    def _scored(self, metric: str) -> list[tuple[float, float]]:
        """Score and weight of each item that has the metric."""
        task, _, name = metric.rpartition("/")
        items = (item for item in self.items if item.task == task and name in item.scores)
        return [(item.scores[name], item.weights.get(name, 1.0)) for item in items]


def grade(
    questions: Iterable[Example], replies: Mapping[str, Reply], tasks: Mapping[str, Task], *, label: str
) -> Grades:
    """Score each question's reply with its task's metrics. Raises MissingReplyError; nothing is skipped."""
    questions = list(questions)
    missing = [q.id for q in questions if q.id not in replies]
    if missing:
        raise MissingReplyError(
            f"{label}: {len(missing)} of {len(questions)} questions have no reply, such as {missing[:3]}"
        )
    graded = (_item(q, replies[q.id], tasks[q.task]) for q in questions)
    return Grades(tuple(bar(graded, total=len(questions), label=f"grading {label}")))


def _linear(scored: Sequence[tuple[float, float]]) -> list[float]:
    """Scores with weights as values whose mean is the weighted mean of the scores; none where all weights are 0."""
    total = sum(weight for _, weight in scored)
    if not total:
        return []
    if all(weight == 1 for _, weight in scored):
        return [score for score, _ in scored]
    ratio, share = sum(score * weight for score, weight in scored) / total, len(scored) / total
    return [ratio + share * weight * (score - ratio) for score, weight in scored]


def _item(question: Example, reply: Reply, task: Task) -> Item:
    read, truth = task.read(reply.text), task.truth(question)
    scores = {name: metric.score(read, truth) for name, metric in task.metrics.items()}
    return Item(
        id=question.id,
        task=question.task,
        tags=dict(question.tags),
        reply=reply.text,
        wanted=task.ask(question).reply,
        scores={name: score.value for name, score in scores.items()},
        weights={name: score.weight for name, score in scores.items() if score.weight != 1},
    )
