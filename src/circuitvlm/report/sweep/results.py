"""Read the trials of a sweep: the values of the swept keys, how each trial ended, and its value of one metric."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from circuitvlm.report.grade import Grades
from circuitvlm.report.study import UNCHANGED_NAME, StudyError, find_runs
from circuitvlm.report.table import parse_number
from circuitvlm.runtime.folders import run_folder as folders
from circuitvlm.runtime.folders.outcome import STEP, Outcome, read_outcome, read_validations
from circuitvlm.runtime.folders.settings import scientific_settings
from circuitvlm.runtime.spelling import suggestion

VALIDATE = "validate/"
LOSS = f"{VALIDATE}loss"
STATES = ("finished", "pruned", "failed", "not finished")
"""The states of trials, in their order on the page."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A run: its values of the swept keys, and the last value of the metric, or None.

    `step` is the optimizer step of the validation with this value; None where the value is of a graded split, whose
    grades `grades` has.
    """

    folder: Path
    outcome: Outcome
    values: Mapping[str, str]
    value: float | None
    step: int | None
    grades: Mapping[str, Grades]


@dataclass(frozen=True, slots=True)
class Sweep:
    """Trials, the best first, then those that were pruned, failed, or are not finished."""

    trials: tuple[Trial, ...]
    keys: tuple[str, ...]
    metric: str
    minimize: bool

    @property
    def finished_trials(self) -> tuple[Trial, ...]:
        """The trials that may be compared."""
        return tuple(t for t in self.trials if t.outcome.state == "finished" and t.value is not None)

    def numbers(self, key: str) -> list[float] | None:
        """The value of a key in each trial; None where one of them is not a number."""
        numbers = [number for trial in self.trials if (number := parse_number(trial.values[key])) is not None]
        return numbers if len(numbers) == len(self.trials) else None


def gather_sweep(paths: Sequence[Path], *, split: str | None = None, metric: str | None = None) -> Sweep:
    """All runs in these folders by a metric: one of validation (`validate/..`), else one of a graded split.

    By default validate/loss, or the first metric that was graded. A loss is minimized, all other metrics are maximized.
    Raises StudyError where there is no run, or where trials finished and none has the metric.
    """
    run_folders = find_runs(paths)
    if not run_folders:
        raise StudyError(f"expected runs in {', '.join(map(str, paths))}, got none")
    split, metric = _select_metric(run_folders, split, metric)
    words = {folder: _words(folder) for folder in run_folders}
    all_keys = dict.fromkeys(key for of_run in words.values() for key in of_run)
    values = {folder: {key: _value(words[folder], folder, key) for key in all_keys} for folder in run_folders}
    keys = tuple(key for key in all_keys if len({of_run[key] for of_run in values.values()}) > 1)
    minimize = metric.endswith("loss")

    def rank(trial: Trial) -> tuple[int, float, str]:
        return (
            STATES.index(trial.outcome.state),
            math.inf if trial.value is None else trial.value if minimize else -trial.value,
            str(trial.folder),
        )

    trials = [_trial(folder, {key: values[folder][key] for key in keys}, split, metric) for folder in run_folders]
    name = metric if metric.startswith(VALIDATE) else f"{metric} on {split}"
    return Sweep(tuple(sorted(trials, key=rank)), keys, name, minimize)


def _select_metric(run_folders: Sequence[Path], split: str | None, metric: str | None) -> tuple[str, str]:
    """A split and a metric that some run has; the split of a metric of validation is empty."""
    if (metric or LOSS).startswith(VALIDATE) and split is None:
        names = {key for folder in run_folders for row in read_validations(folder) for key in row if key != STEP}
        if (metric or LOSS) in names:
            return "", metric or LOSS
        if metric is not None:
            raise StudyError(
                f"metric: expected one of a validation ({', '.join(sorted(names))}), got {metric!r}."
                f"{suggestion(metric, names)}"
            )
    paths = [path for folder in run_folders for path in sorted(folder.glob("replies/*/scores.json"))]
    if not paths:
        if metric is None and split is None and all(folders.read_state(f) != "finished" for f in run_folders):
            return "", LOSS  # without any result, the page tells how the trials ended
        raise StudyError(f"expected runs with validations or graded splits, got {len(run_folders)} runs without any")
    splits = dict.fromkeys(path.parent.name for path in paths)
    split = split or next(iter(splits))
    metrics = dict.fromkeys(m for path in paths if path.parent.name == split for m in Grades.load(path).metrics())
    metric = metric or next(iter(metrics), "")
    if metric not in metrics:
        raise StudyError(
            f"expected a metric that some run has on {split!r} ({', '.join(metrics) or 'none'}), got {metric!r}; "
            f"the graded splits are {', '.join(splits)}"
        )
    return split, metric


def _words(folder: Path) -> dict[str, str]:
    """Key -> value of the overrides of the command line, or else of the settings that differ; and the experiment."""
    pairs = [word.lstrip("+~").partition("=") for word in folders.read_overrides(folder)]
    values = {key: value for key, _, value in pairs} or {k: str(v) for k, v in folders.read_difference(folder).items()}
    values.pop("experiment", None)
    return values | {"experiment": str(folders.read_config(folder)["name"])}


def _value(words: Mapping[str, str], folder: Path, key: str) -> str:
    """The value of a key in a run, from its config where only other runs have an override of the key."""
    if key in words:
        return words[key]
    return str(scientific_settings(folders.read_config(folder)).get(key, UNCHANGED_NAME))


def _trial(folder: Path, values: Mapping[str, str], split: str, metric: str) -> Trial:
    value, step = None, None
    grades = {}
    if split:
        path = folder / "replies" / split / "scores.json"
        grades = {split: Grades.load(path)} if path.is_file() else {}
        value = grades[split].means().get(metric) if grades else None
    elif rows := [row for row in read_validations(folder) if metric in row]:
        value, step = rows[-1][metric], int(rows[-1][STEP])
    finite_value = value if value is None or math.isfinite(value) else None
    return Trial(folder, read_outcome(folder), values, finite_value, step, grades)
