"""What came of a sweep? Every trial with what was swept, how it ended, and what it is worth by one metric."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from circuitvlm.report.grade import Grades
from circuitvlm.report.study import StudyError, runs_below
from circuitvlm.runtime.folders import run_folder as folders
from circuitvlm.runtime.folders.outcome import STEP, Outcome, outcome, read_validated
from circuitvlm.runtime.spelling import suggestion

VALIDATE = "validate/"
LOSS = f"{VALIDATE}loss"
UNCHANGED = "as the experiment has it"
ORDER = ("finished", "pruned", "failed", "not finished")


@dataclass(frozen=True, slots=True)
class Trial:
    """One run: its values of what was swept, and the last value of the metric that it came to, if any.

    `step` is that of the validation that told the value; None where the value is of a graded split.
    """

    folder: Path
    outcome: Outcome
    values: Mapping[str, str]
    value: float | None
    step: int | None


@dataclass(frozen=True, slots=True)
class Sweep:
    """Trials, the best first, then those that were pruned, failed, or are not finished."""

    trials: tuple[Trial, ...]
    keys: tuple[str, ...]
    metric: str
    minimize: bool

    @property
    def finished(self) -> tuple[Trial, ...]:
        """The trials that may be compared."""
        return tuple(t for t in self.trials if t.outcome.state == "finished" and t.value is not None)

    def numbers(self, key: str) -> bool:
        """Whether all that was swept over is a number."""
        return all(number(trial.values[key]) is not None for trial in self.trials)


def gather_sweep(paths: Sequence[Path], *, split: str | None = None, metric: str | None = None) -> Sweep:
    """All runs at or below these folders, by a metric: `validate/..` as it was validated, else that of a graded split.

    By default validate/loss, or the first that was graded. Losses are best low, all others high. Raises StudyError
    where there is no run, or none that has the metric though some finished.
    """
    found = sorted({folder for path in paths for folder in runs_below(path)})
    if not found:
        raise StudyError(f"no run in {', '.join(map(str, paths))}")
    split, metric = _chosen(found, split, metric)
    words = {folder: _words(folder) for folder in found}
    keys = dict.fromkeys(key for said in words.values() for key in said)
    values = {key: [_value(words[folder], folder, key) for folder in found] for key in keys}
    swept = tuple(key for key in keys if len(set(values[key])) > 1)
    trials = [
        _trial(folder, {key: values[key][place] for key in swept}, split, metric) for place, folder in enumerate(found)
    ]
    minimize = metric.endswith("loss")
    name = metric if metric.startswith(VALIDATE) else f"{metric} on {split}"
    return Sweep(tuple(sorted(trials, key=_standing(minimize))), swept, name, minimize)


def number(text: str) -> float | None:
    """The finite number that a text is, or None."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _chosen(found: Sequence[Path], split: str | None, metric: str | None) -> tuple[str, str]:
    """The split and the metric, which some run has."""
    validated = {key for folder in found for row in read_validated(folder) for key in row if key != STEP}
    if (metric or LOSS).startswith(VALIDATE) and split is None:
        if (metric or LOSS) in validated:
            return "", metric or LOSS
        if metric is not None:
            raise StudyError(f"no run validated {metric}.{suggestion(metric, validated)}")
    graded = [path for folder in found for path in sorted(folder.glob("replies/*/scores.json"))]
    if not graded:
        if metric is None and split is None and not any(folders.state(folder) == "finished" for folder in found):
            return "", LOSS  # nothing has come so far: how the trials ended is all that there is to tell
        raise StudyError("no run was validated or graded; of a sweep by --split or --metric that is needed")
    splits = dict.fromkeys(path.parent.name for path in graded)
    split = split or next(iter(splits))
    metrics = dict.fromkeys(m for path in graded if path.parent.name == split for m in Grades.load(path).metrics())
    metric = metric or next(iter(metrics), "")
    if metric not in metrics:
        raise StudyError(f"no run has {metric!r} on {split!r}; there are {', '.join(metrics)} on {', '.join(splits)}")
    return split, metric


def _words(folder: Path) -> dict[str, str]:
    """What was said on the command line, or else which keys differ."""
    said = folders.read_overrides(folder)
    pairs = [word.lstrip("+~").partition("=") for word in said]
    told = {key: value for key, _, value in pairs} or {k: str(v) for k, v in folders.read_difference(folder).items()}
    return {key: value for key, value in told.items() if key != "experiment"} | {"experiment": _name(folder)}


def _name(folder: Path) -> str:
    return str(folders.read_config(folder)["name"])


def _value(words: Mapping[str, str], folder: Path, key: str) -> str:
    """What a run has for a key that perhaps only another's command line told."""
    if key in words:
        return words[key]
    settings: Mapping[str, Any] = folders.science(folders.read_config(folder))
    return str(settings.get(key, UNCHANGED))


def _trial(folder: Path, values: Mapping[str, str], split: str, metric: str) -> Trial:
    ended = outcome(folder)
    value, step = None, None
    if split:
        path = folder / "replies" / split / "scores.json"
        value = Grades.load(path).means().get(metric) if path.is_file() else None
    else:
        for row in read_validated(folder):
            if metric in row:
                value, step = row[metric], int(row[STEP])
    return Trial(folder, ended, values, value if value is None or math.isfinite(value) else None, step)


def _standing(minimize: bool) -> Callable[[Trial], tuple[int, float, str]]:
    def key(trial: Trial) -> tuple[int, float, str]:
        value = math.inf if trial.value is None else trial.value if minimize else -trial.value
        return (ORDER.index(trial.outcome.state), value, str(trial.folder))

    return key
