"""Gather runs as arms of several seeds, and compare each arm with a base: better, worse, or not distinguishable."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from circuitvlm.report.grade import Grades, check_same_items
from circuitvlm.report.significance import Verdict, holm, resampled_gain
from circuitvlm.runtime.folders import run_folder as folders
from circuitvlm.runtime.folders.outcome import Outcome, read_outcome
from circuitvlm.runtime.folders.settings import scientific_settings
from circuitvlm.runtime.spelling import suggestion

SEED = "seed"
UNCHANGED_NAME = "experiment unchanged"
"""The name of an arm without changes to its experiment."""


class StudyError(ValueError):
    """Runs that do not form a study; the message says why."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A finished run: its seed, its grades on each split, and what ended it before its last step, or an empty text."""

    folder: Path
    seed: int
    grades: Mapping[str, Grades]
    early_end: str = ""


@dataclass(frozen=True, slots=True)
class Arm:
    """The runs that differ from one another by their seed alone, in the order of the seeds."""

    name: str
    trials: tuple[Trial, ...]

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(trial.seed for trial in self.trials)

    def values(self, split: str, metric: str) -> list[list[float]]:
        """Scores by seed and item."""
        return [trial.grades[split].values(metric) for trial in self.trials]


@dataclass(frozen=True, slots=True)
class Study:
    """Arms, the base first; and for each run that is not finished, its state and the reason."""

    arms: tuple[Arm, ...]
    base: Arm
    unfinished_runs: Mapping[Path, str]

    @property
    def trials(self) -> tuple[Trial, ...]:
        return tuple(trial for arm in self.arms for trial in arm.trials)

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits on which every run was graded."""
        return tuple(split for split in self.trials[0].grades if all(split in trial.grades for trial in self.trials))

    def metrics(self, split: str) -> tuple[str, ...]:
        """The metrics, as task/metric, of which every run has values on a split."""
        grades = [trial.grades[split] for trial in self.trials]
        return tuple(metric for metric in grades[0].metrics() if all(of_run.values(metric) for of_run in grades))

    def verdicts(self, split: str, metric: str) -> tuple[Verdict, ...]:
        """Compare each arm with the base: seed by seed where both have the same seeds, else all seeds of both."""
        base_values = self.base.values(split, metric)
        arms = [arm for arm in self.arms if arm is not self.base]
        gains = [
            resampled_gain(arm.values(split, metric), base_values, same_seeds=arm.seeds == self.base.seeds)
            for arm in arms
        ]
        return tuple(
            Verdict(arm.name, "the base", gain, p, "these counts", self._count_note(arm, items=len(base_values[0])))
            for arm, gain, p in zip(arms, gains, holm([gain.p for gain in gains]), strict=True)
        )

    def _count_note(self, arm: Arm, *, items: int) -> str:
        seeds = min(len(arm.seeds), len(self.base.seeds))
        prefix = "" if arm.seeds == self.base.seeds else "unpaired "
        noise = "" if seeds > 1 else "; one seed, so the noise of training is not in the interval"
        return f" ({seeds} {prefix}seed{'s' * (seeds != 1)}, {items} items{noise})"


def gather(paths: Sequence[Path], *, base: str | None = None) -> Study:
    """The study of all runs in these folders; `base` names an arm, by default that of the unchanged experiment.

    Raises StudyError where there is no finished run or no such arm, and ValueError where runs did not answer the same
    items.
    """
    run_folders = find_runs(paths)
    outcomes = {folder: read_outcome(folder) for folder in run_folders}
    unfinished_runs = {folder: outcome_text(o) for folder, o in outcomes.items() if o.state != "finished"}
    trials: dict[str, list[Trial]] = {}
    words: dict[str, list[str]] = {}
    for folder in run_folders:
        if folder not in unfinished_runs:
            recipe = _recipe(folder)
            words.setdefault(recipe, _words(folder))
            trials.setdefault(recipe, []).append(_trial(folder))
    if not trials:
        raise StudyError(
            f"expected finished runs in {', '.join(map(str, paths))}, got none; {len(unfinished_runs)} are not finished"
        )
    names = _names(words)
    arms = [Arm(names[key], tuple(sorted(group, key=lambda trial: trial.seed))) for key, group in trials.items()]
    _check_distinct(arms)
    check_same_items({str(trial.folder): trial.grades for arm in arms for trial in arm.trials})
    base_arm = _find_base(arms, base)
    return Study(tuple(sorted(arms, key=lambda arm: (arm is not base_arm, arm.name))), base_arm, unfinished_runs)


def find_runs(paths: Iterable[Path]) -> list[Path]:
    """The folders of all runs at or below these paths, sorted; links are followed, and no folder is read twice.

    Baselines are left out, since they are in the table of their run, and so are folders that are being deleted.
    """
    run_folders, visited = set(), set()
    for path in paths:
        for name, children, files in os.walk(path, followlinks=True):
            if (real_name := os.path.realpath(name)) in visited:  # two links to their own folder make 2 ** 40 paths
                children.clear()
                continue
            visited.add(real_name)
            children[:] = [child for child in children if not child.startswith(".") and child != "baselines"]
            if {folders.MARKER_FILE, folders.CONFIG_FILE} <= set(files):
                run_folders.add(Path(name))
    return sorted(run_folders)


def outcome_text(outcome: Outcome) -> str:
    """The state of a run, and the reason where there is one."""
    return f"{outcome.state}: {outcome.reason}" if outcome.reason else outcome.state


def _recipe(folder: Path) -> str:
    """What runs of one arm have in common: the experiment, and all scientific settings but the seed.

    An experiment that repeats another's settings is an arm of its own: a control of the study itself.
    """
    cfg = folders.read_config(folder)
    settings = {key: value for key, value in scientific_settings(cfg).items() if key != SEED}
    return json.dumps([cfg["name"], settings], sort_keys=True, default=str)


def _words(folder: Path) -> list[str]:
    """The experiment, and the overrides of the command line, or else the settings that differ."""
    overrides = [word for word in folders.read_overrides(folder) if word.partition("=")[0] not in ("experiment", SEED)]
    differences = [f"{key}={value}" for key, value in folders.read_difference(folder).items() if key != SEED]
    return [f"experiment={folders.read_config(folder)['name']}", *(overrides or differences)]


def _names(words: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The name of each arm: its words without those that all arms have.

    Where only one experiment has several arms, their names also leave out the words that all of these arms have.
    """
    groups: dict[str, list[set[str]]] = {}
    for experiment, *overrides in words.values():
        groups.setdefault(experiment, []).append({experiment, *overrides})
    word_sets = [word_set for group in groups.values() for word_set in group]
    common = set.intersection(*word_sets) if len(word_sets) > 1 else set()
    large = [experiment for experiment, group in groups.items() if len(group) > 1]
    common_of_large = set.intersection(*groups[large[0]]) if len(large) == 1 else set()
    return {
        key: ", ".join(w for w in of_arm if w not in (common | common_of_large if of_arm[0] in large else common))
        or UNCHANGED_NAME
        for key, of_arm in words.items()
    }


def _trial(folder: Path) -> Trial:
    grades = {path.parent.name: Grades.load(path) for path in sorted(folder.glob("replies/*/scores.json"))}
    return Trial(folder, int(folders.read_config(folder)[SEED]), grades, read_outcome(folder).reason)


def _check_distinct(arms: Sequence[Arm]) -> None:
    """Raise StudyError for two arms of one name, and for an arm with a seed twice."""
    names = [arm.name for arm in arms]
    if repeated_names := sorted({name for name in names if names.count(name) > 1}):
        raise StudyError(
            f"expected different names of arms, got two arms {repeated_names[0]!r} with different settings; was the "
            "experiment edited between the runs?"
        )
    for arm in arms:
        if len(set(arm.seeds)) < len(arm.seeds):
            run_folders = ", ".join(str(trial.folder) for trial in arm.trials)
            raise StudyError(f"{arm.name}: expected each seed once, got a seed twice in {run_folders}")


def _find_base(arms: Sequence[Arm], base: str | None) -> Arm:
    """The arm of this name, else the arm with the fewest changes to its experiment.

    The latter is one of the arms of the experiment `base`, or of all arms without `base`.
    """
    names = {arm.name: arm for arm in arms}
    if base in names:
        return names[base]
    change_counts = {
        arm.name: len(folders.read_difference(arm.trials[0].folder).keys() - {SEED})
        for arm in arms
        if base in (None, folders.read_config(arm.trials[0].folder)["name"])
    }
    if not change_counts:
        raise StudyError(f"base: expected an arm ({', '.join(names)}), got {base!r}.{suggestion(str(base), names)}")
    fewest = [name for name, count in change_counts.items() if count == min(change_counts.values())]
    if len(fewest) > 1:
        raise StudyError(
            f"expected one arm with the fewest changes as base, got {', '.join(fewest)}; name one with --base"
        )
    return names[fewest[0]]
