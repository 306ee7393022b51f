"""What is taken for what? A matrix of what was read against what was true, as a table and as a picture."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from circuitvlm.core.contract import Task
from circuitvlm.report.grade import Grades
from circuitvlm.report.table import row

UNREAD = "unread"
"""The column of replies that could not be read, or say what is no label."""

DPI = 160
_DARK = 0.55
"""Share of a row from which on its number is written in white."""


@dataclass(frozen=True, slots=True)
class Confusion:
    """`counts` (L, L + 1): of the items that are truly `labels[i]`, how many were read as `labels[j]`; last, unread."""

    labels: tuple[str, ...]
    counts: np.ndarray

    def table(self) -> str:
        """Markdown: a row for each true label, with the share of it that was read right."""
        head = ["true \\ read", *self.labels, UNREAD, "n", "right, %"]
        lines = [row(head), row(["---"] * len(head))]
        for place, (label, counts) in enumerate(zip(self.labels, self.counts.tolist(), strict=True)):
            total = sum(counts)
            share = f"{100 * counts[place] / total:.1f}" if total else "–"
            lines.append(row([f"**{label}**", *map(str, counts), str(total), share]))
        return "\n".join(lines) + "\n"

    def picture(self, *, title: str) -> bytes:
        """A PNG: each square as dark as its share of its row, with its number; empty squares are left empty."""
        across = len(self.labels) + 1
        figure = Figure(figsize=(1.4 + 0.52 * across, 1.4 + 0.5 * len(self.labels)), layout="constrained")
        axes = figure.subplots()
        shares = self.counts / np.maximum(self.counts.sum(axis=1, keepdims=True), 1)
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for (i, j), count in np.ndenumerate(self.counts):
            if count:
                colour = "white" if shares[i, j] > _DARK else "black"
                axes.text(j, i, str(count), ha="center", va="center", fontsize=9, color=colour)
        axes.axvline(len(self.labels) - 0.5, color="black", lw=0.8)
        axes.set_xticks(range(across), [*self.labels, UNREAD])
        axes.set_yticks(range(len(self.labels)), self.labels)
        axes.set_xlabel("read")
        axes.set_ylabel("true")
        axes.set_title(title, fontsize=10)
        buffer = io.BytesIO()
        FigureCanvasAgg(figure)
        figure.savefig(buffer, format="png", dpi=DPI)
        return buffer.getvalue()


def confusion(read: Sequence[str | None], truth: Sequence[str], *, labels: Sequence[str]) -> Confusion:
    """Counts items in pairs. Raises ValueError for a truth that is no label, or lists of different lengths."""
    places = {label: place for place, label in enumerate(labels)}
    counts = np.zeros((len(labels), len(labels) + 1), dtype=int)
    for said, true in zip(read, truth, strict=True):
        if true not in places:
            raise ValueError(f"confusion: {true!r} is true and no label; the labels are {', '.join(labels)}")
        counts[places[true], len(labels) if said is None else places.get(said, len(labels))] += 1
    return Confusion(tuple(labels), counts)


def confusion_of(graded: Grades, key: str, task: Task) -> Confusion | None:
    """The matrix of the items that this task asked; None for a task that states no `labels`, or asked nothing."""
    labels: Sequence[str] | None = getattr(task, "labels", None)
    items = [item for item in graded.items if item.task == key]
    if not labels or not items:
        return None
    return confusion([task.read(i.reply) for i in items], [task.read(i.wanted) for i in items], labels=labels)
