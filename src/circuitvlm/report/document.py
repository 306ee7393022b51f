"""Write the output of the CircuitSense fine-tuning document: its four numbers and its list of predictions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from circuitvlm.report.grade import Grades, Item

METRICS: Mapping[str, Mapping[str, str]] = {
    "equation": {"exact_match": "equation_exact_accuracy", "sympy_match": "equation_sympy_accuracy"},
    "qa": {"numerical_match": "qa_numerical_accuracy", "unit_match": "qa_unit_accuracy"},
}
"""The document's type of a task -> key of a prediction -> metric."""


def circuitsense_output(grades: Mapping[str, Grades]) -> dict[str, Any] | None:
    """The document's output, `{"metrics": {..}, "predictions": [..]}`, over all splits; None without such metrics.

    A metric without a reply is left out. Predictions of equations have exact_match and sympy_match, those of questions
    numerical_match and unit_match; `split` and `task` are added. A reply that could not be read counts as wrong.
    """
    items = [(split, item) for split, part in grades.items() for item in part.items if _task_type(item)]
    if not items:
        return None
    metrics: dict[str, float] = {}
    for name in (metric for names in METRICS.values() for metric in names.values()):
        if scores := [item.scores[name] for _, item in items if name in item.scores]:
            metrics[name] = sum(scores) / len(scores)
    return {"metrics": metrics, "predictions": [_prediction(split, item) for split, item in items]}


def _task_type(item: Item) -> str:
    """equation or qa, by the metrics that its task has; empty for a task of neither."""
    if METRICS["equation"]["sympy_match"] in item.scores:
        return "equation"
    return "qa" if METRICS["qa"]["numerical_match"] in item.scores else ""


def _prediction(split: str, item: Item) -> dict[str, Any]:
    task_type = _task_type(item)
    return {
        "circuit_id": item.tags.get("circuit", item.id),
        "question_id": item.id,
        "task_type": task_type,
        "prediction": item.reply,
        "ground_truth": item.wanted,
        **{key: bool(item.scores[name]) for key, name in METRICS[task_type].items() if name in item.scores},
        "split": split,
        "task": item.task,
    }
