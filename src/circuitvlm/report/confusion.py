"""Count how often each true label was read as each other label, as a table and as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from circuitvlm.core.contract import Task
from circuitvlm.report.drawing import png, wrap_name
from circuitvlm.report.grade import Grades
from circuitvlm.report.table import NO_VALUE, escape, table

UNREAD = "unread"
"""The column of replies that could not be read as any label."""

_DARK = 0.55  # the share of a row above which its number is written in white


@dataclass(frozen=True, slots=True)
class Confusion:
    """`counts` (L, L + 1) has the items of true label `labels[i]` read as `labels[j]`; the last column is unread."""

    labels: tuple[str, ...]
    counts: np.ndarray

    def table(self) -> str:
        """Markdown: a row for each true label, with the share of it that was read right."""
        rows = []
        for k, (label, counts) in enumerate(zip(self.labels, self.counts.tolist(), strict=True)):
            share = f"{100 * counts[k] / sum(counts):.1f}" if any(counts) else NO_VALUE
            rows.append([f"**{escape(label)}**", *map(str, counts), str(sum(counts)), share])
        return table(["true \\ read", *map(escape, self.labels), UNREAD, "n", "right, %"], rows) + "\n"

    def picture(self, *, title: str) -> bytes:
        """A PNG: the colour of each square is its share of its row, its number the count; zeros have no number."""
        rows, columns = self.counts.shape
        figure = Figure(figsize=(1.4 + 0.52 * columns, 1.4 + 0.5 * rows), layout="constrained")
        axes = figure.subplots()
        shares = self.counts / np.maximum(self.counts.sum(axis=1, keepdims=True), 1)
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for (i, j), count in np.ndenumerate(self.counts):
            if count:
                colour = "white" if shares[i, j] > _DARK else "black"
                axes.text(j, i, str(count), ha="center", va="center", fontsize=9, color=colour)
        axes.axvline(rows - 0.5, color="black", lw=0.8)
        axes.set_xticks(range(columns), [*map(wrap_name, self.labels), UNREAD])
        axes.set_yticks(range(rows), list(map(wrap_name, self.labels)))
        axes.set(xlabel="read", ylabel="true")
        axes.set_title(wrap_name(title), fontsize=10)
        return png(figure)


def confusion(answers: Sequence[str | None], truth: Sequence[str], *, labels: Sequence[str]) -> Confusion:
    """Count pairs of an answer (None for unread) and a true label.

    Raises ValueError for a truth that is no label, or lists of different lengths.
    """
    indices = {label: index for index, label in enumerate(labels)}
    counts = np.zeros((len(labels), len(labels) + 1), dtype=int)
    for answer, true_label in zip(answers, truth, strict=True):
        if true_label not in indices:
            raise ValueError(f"confusion: expected one of the labels {', '.join(labels)} as truth, got {true_label!r}")
        counts[indices[true_label], len(labels) if answer is None else indices.get(answer, len(labels))] += 1
    return Confusion(tuple(labels), counts)


def confusion_of(grades: Grades, key: str, task: Task) -> Confusion | None:
    """The matrix of the items of this task; None for a task that states no `labels`, or has no items."""
    labels: Sequence[str] | None = getattr(task, "labels", None)
    items = [item for item in grades.items if item.task == key]
    if not labels or not items:
        return None
    return confusion([task.read(i.reply) for i in items], [task.read(i.wanted) for i in items], labels=labels)
