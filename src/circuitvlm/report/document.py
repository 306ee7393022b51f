"""What would the CircuitSense fine-tuning document have written? Its four numbers and its list of predictions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from circuitvlm.report.grade import Grades, Item

EQUATIONS = ("equation_exact_accuracy", "equation_sympy_accuracy")
QUESTIONS = ("qa_numerical_accuracy", "qa_unit_accuracy")


def document(grades: Mapping[str, Grades]) -> dict[str, Any] | None:
    """The document's output, `{"metrics": {..}, "predictions": [..]}`, over all splits; None without such metrics.

    A metric without a reply is left out. Predictions of equations say exact_match and sympy_match, those of questions
    numerical_match and unit_match; `split` and `task` are added. A reply that could not be read counts as wrong.
    """
    rows = [(split, item) for split, part in grades.items() for item in part.items if _type_of(item)]
    if not rows:
        return None
    items = [item for _, item in rows]
    metrics = {name: mean for name in (*EQUATIONS, *QUESTIONS) if (mean := _mean(items, name)) is not None}
    return {"metrics": metrics, "predictions": [_prediction(split, item) for split, item in rows]}


def _type_of(item: Item) -> str:
    """equation or qa, by the metrics that its task has; empty for a task of neither."""
    if EQUATIONS[1] in item.scores:
        return "equation"
    return "qa" if QUESTIONS[0] in item.scores else ""


def _mean(items: Iterable[Item], metric: str) -> float | None:
    values = [item.scores[metric] for item in items if metric in item.scores]
    return sum(values) / len(values) if values else None


def _prediction(split: str, item: Item) -> dict[str, Any]:
    names = {
        "equation": {"exact_match": EQUATIONS[0], "sympy_match": EQUATIONS[1]},
        "qa": {"numerical_match": QUESTIONS[0], "unit_match": QUESTIONS[1]},
    }[_type_of(item)]
    return {
        "circuit_id": item.tags.get("circuit", item.id),
        "question_id": item.id,
        "task_type": _type_of(item),
        "prediction": item.reply,
        "ground_truth": item.wanted,
        **{said: bool(item.scores[metric]) for said, metric in names.items() if metric in item.scores},
        "split": split,
        "task": item.task,
    }
