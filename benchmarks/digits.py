"""Compare a frozen LLM with a linear encoder to a linear softmax on digits.

Run as `python benchmarks/digits.py RUN [RUN ..]`. For each run of tiny_digits, scikit-learn's logistic regression is
fitted to the pixels of the same training images, with the best C on the validation split. It is graded on the run's own
test images, as a row of the run's table. The gain over several runs, such as runs with other splits of the digits, is
paired too; an image that is in the test sets of several runs counts once.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from _figures import environment_line
from rich.console import Console
from sklearn.linear_model import LogisticRegression

from circuitvlm.core.record import Example, Reply
from circuitvlm.report.grade import Grades, grade
from circuitvlm.report.significance import paired_gain
from circuitvlm.report.table import comparison, percent
from circuitvlm.training.assemble import Run, trained_run
from circuitvlm.training.batches.task_dataset import TaskDataset

RUN, SOFTMAX = "frozen LLM", "linear softmax"
STRENGTHS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
"""Values of C; of several with the best accuracy, the smallest is used."""


def pixels(examples: Sequence[Example]) -> np.ndarray:
    """The grey values of images (N, pixels), from 0 to 1."""
    return np.stack([np.asarray(e.images[0].open().convert("L"), dtype=float).ravel() / 255 for e in examples])


def fit_softmax(run: Run) -> LogisticRegression:
    """The model of the training split that is best on the validation split."""
    datasets = {
        split: list(TaskDataset(run.sources, run.tasks, split, limit=None)) for split in ("train", "validation")
    }
    data = {split: (pixels(part), [e.facts["label"] for e in part]) for split, part in datasets.items()}
    models = (LogisticRegression(C=strength, max_iter=5000).fit(*data["train"]) for strength in STRENGTHS)
    return max(models, key=lambda model: model.score(*data["validation"]))


def grade_softmax(run: Run, *, split: str) -> tuple[Grades, str]:
    """The grades of the softmax, whose answers are parsed as the LLM's are, and a note on its training."""
    model = fit_softmax(run)
    questions = list(TaskDataset(run.sources, run.tasks, split, limit=None))
    predictions = zip(questions, model.predict(pixels(questions)), strict=True)
    replies = {q.id: Reply(id=q.id, task=q.task, text=f"The digit is {label}.") for q, label in predictions}
    return grade(questions, replies, run.tasks, label=SOFTMAX), f"C = {model.C:g}"


def pool_gain(results: Sequence[dict[str, Grades]]) -> str:
    """The gain over all runs; the score of an image is its mean over the runs that test it."""
    scores: dict[str, defaultdict[str, list[float]]] = {name: defaultdict(list) for name in (RUN, SOFTMAX)}
    for pair in results:
        for name, grades in pair.items():
            for item in grades.items:
                scores[name][item.id].append(item.scores["right"])
    means = {name: [float(np.mean(by_image[image])) for image in sorted(by_image)] for name, by_image in scores.items()}
    gain = percent(paired_gain(means[RUN], means[SOFTMAX]), sign="+")
    return f"{len(results)} runs, {len(means[RUN])} images: {RUN} - {SOFTMAX} = {gain} points"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    parser.add_argument("--split", default="test")
    arguments = parser.parse_args()
    split = arguments.split
    console = Console(soft_wrap=True)
    console.print(environment_line(), markup=False, highlight=False)
    results: list[dict[str, Grades]] = []
    for path in arguments.runs:
        softmax_grades, note = grade_softmax(trained_run(path, changes={}), split=split)
        results.append({RUN: Grades.load(path / "replies" / split / "scores.json"), SOFTMAX: softmax_grades})
        table = comparison({name: {split: grades} for name, grades in results[-1].items()}, notes={SOFTMAX: note})
        console.print(f"\n{path}\n\n{table}", markup=False, highlight=False)
    console.print(pool_gain(results), markup=False, highlight=False)


if __name__ == "__main__":
    main()
