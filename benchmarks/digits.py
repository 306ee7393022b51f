"""Does a frozen LLM with a linear encoder beat the linear softmax? Run as `python benchmarks/digits.py RUN [RUN ..]`.

For each run of tiny_digits, scikit-learn's logistic regression is fitted to the pixels of the same training images, its
C being chosen on the validation split, and asked the run's own test images, as a row of the run's table. The gain over
several runs, such as with other splits of the digits, is paired too; an image that several asked about counts once.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from _figures import ground
from rich.console import Console
from sklearn.linear_model import LogisticRegression

from circuitvlm.core.record import Example, Reply
from circuitvlm.report.grade import Grades, grade
from circuitvlm.report.significance import paired
from circuitvlm.report.table import comparison, percent
from circuitvlm.training.assemble import Run, trained_run
from circuitvlm.training.batches.data_module import Questions

RUN, SOFTMAX = "frozen LLM", "linear softmax"
STRENGTHS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
"""Values of C; the smallest of several that are best is taken."""


def pixels(examples: Sequence[Example]) -> np.ndarray:
    """(N, pixels) from 0 to 1."""
    return np.stack([np.asarray(e.images[0].open().convert("L"), dtype=float).ravel() / 255 for e in examples])


def fitted(run: Run) -> LogisticRegression:
    """The best on the validation split of those that are trained on the training split."""
    parts = {split: list(Questions(run.sources, run.tasks, split, limit=None)) for split in ("train", "validation")}
    seen = {split: (pixels(part), [e.facts["label"] for e in part]) for split, part in parts.items()}
    made = (LogisticRegression(C=strength, max_iter=5000).fit(*seen["train"]) for strength in STRENGTHS)
    return max(made, key=lambda model: model.score(*seen["validation"]))


def softmax(run: Run, *, split: str) -> tuple[Grades, str]:
    """Its grades, its answers being read as the model's are, and what is to be said of its training."""
    model = fitted(run)
    asked = list(Questions(run.sources, run.tasks, split, limit=None))
    said = zip(asked, model.predict(pixels(asked)), strict=True)
    replies = {q.id: Reply(id=q.id, task=q.task, text=f"The digit is {label}.") for q, label in said}
    return grade(asked, replies, run.tasks, label=SOFTMAX), f"C = {model.C:g}"


def pooled(found: Sequence[dict[str, Grades]]) -> str:
    """The gain over all runs, each image by its mean over those that asked about it."""
    scores: dict[str, defaultdict[str, list[float]]] = {name: defaultdict(list) for name in (RUN, SOFTMAX)}
    for pair in found:
        for name, grades in pair.items():
            for item in grades.items:
                scores[name][item.id].append(item.scores["right"])
    means = {name: [float(np.mean(held[image])) for image in sorted(held)] for name, held in scores.items()}
    gain = percent(paired(means[RUN], means[SOFTMAX]), sign="+")
    return f"{len(found)} runs, {len(means[RUN])} images: {RUN} - {SOFTMAX} = {gain} points"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    parser.add_argument("--split", default="test")
    said = parser.parse_args()
    console = Console(soft_wrap=True)
    console.print(ground(), markup=False, highlight=False)
    found: list[dict[str, Grades]] = []
    for path in said.runs:
        beside, note = softmax(trained_run(path, changes={}), split=said.split)
        found.append({RUN: Grades.load(path / "replies" / said.split / "scores.json"), SOFTMAX: beside})
        table = comparison({name: {said.split: own} for name, own in found[-1].items()}, notes={SOFTMAX: note})
        console.print(f"\n{path}\n\n{table}", markup=False, highlight=False)
    console.print(pooled(found), markup=False, highlight=False)


if __name__ == "__main__":
    main()
