"""What does a set of runs say? Arms of several seeds, each held against a base: better, worse, or neither."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from circuitvlm.report.grade import Grades
from circuitvlm.report.significance import ALPHA, Comparison, holm, resampled, word_of
from circuitvlm.runtime.folders import run_folder as folders
from circuitvlm.runtime.folders.outcome import outcome
from circuitvlm.runtime.spelling import suggestion

SEED = "seed"
PLAIN = "as the experiment has it"


class StudyError(ValueError):
    """Runs of which no study can be made; the message says why."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One finished run: its seed, and what it scored on each split."""

    folder: Path
    seed: int
    grades: Mapping[str, Grades]


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
class Verdict:
    """An arm beside the base: its gain in a metric (0 to 1), and the p-value after Holm's correction over all arms."""

    arm: str
    gain: Comparison
    p: float
    seeds: int
    items: int
    same_seeds: bool

    @property
    def word(self) -> str:
        return word_of(self.gain, self.p)

    @property
    def sentence(self) -> str:
        """What a reader may take home."""
        size = f"{100 * self.gain.value:+.2f} points [{100 * self.gain.low:+.2f}, {100 * self.gain.high:+.2f}]"
        paired = "" if self.same_seeds else "unpaired "
        counts = f"{self.seeds} {paired}seed{'s' * (self.seeds != 1)}, {self.items} items"
        noise = "" if self.seeds > 1 else "; one seed, so the noise of training is not in the interval"
        said = f"{self.word} than the base" if self.p < ALPHA else f"{self.word} from the base at these counts"
        return f"{self.arm}: {said}: {size}, p = {self.p:.3g} after Holm ({counts}{noise})."


@dataclass(frozen=True, slots=True)
class Study:
    """Arms, the base among them by name, and the runs that are not finished, each with the reason."""

    arms: tuple[Arm, ...]
    base: str
    missing: Mapping[Path, str]

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that every run was graded on."""
        first, *others = (trial.grades for arm in self.arms for trial in arm.trials)
        return tuple(split for split in first if all(split in other for other in others))

    def metrics(self, split: str) -> tuple[str, ...]:
        """The metrics, as task/metric, of which every run has values on a split."""
        parts = [trial.grades[split] for arm in self.arms for trial in arm.trials]
        return tuple(metric for metric in parts[0].metrics() if all(part.values(metric) for part in parts))

    def arm(self, name: str) -> Arm:
        return next(arm for arm in self.arms if arm.name == name)

    def verdicts(self, split: str, metric: str) -> tuple[Verdict, ...]:
        """Each arm beside the base: seed by seed where both have the same seeds, else all of both."""
        base = self.arm(self.base)
        arms = [arm for arm in self.arms if arm is not base]
        gains = [_gain(arm, base, split, metric) for arm in arms]
        items = len(base.trials[0].grades[split].values(metric))
        return tuple(
            Verdict(
                arm=arm.name,
                gain=gain,
                p=p,
                seeds=min(len(arm.seeds), len(base.seeds)),
                items=items,
                same_seeds=arm.seeds == base.seeds,
            )
            for arm, gain, p in zip(arms, gains, holm([gain.p for gain in gains]), strict=True)
        )


def gather(paths: Sequence[Path], *, base: str | None = None) -> Study:
    """The study of all runs at or below these folders; `base` names an arm, by default the experiment unchanged.

    Raises StudyError where there is no finished run or no such arm, or where runs did not answer the same items.
    """
    found = sorted({folder for path in paths for folder in runs_below(path)})
    missing = {folder: _reason(folder) for folder in found if folders.state(folder) != "finished"}
    arms: dict[str, list[Trial]] = {}
    words: dict[str, list[str]] = {}
    for folder in found:
        if folder in missing:
            continue
        key = _recipe(folder)
        words.setdefault(key, _words(folder))
        arms.setdefault(key, []).append(_trial(folder))
    if not arms:
        raise StudyError(f"no finished run in {', '.join(map(str, paths))}; {len(missing)} are not finished")
    names = _names(words)
    made = tuple(Arm(names[key], tuple(sorted(trials, key=_by_seed))) for key, trials in arms.items())
    _refuse_what_cannot_be_told_apart(made)
    _refuse_other_items(made)
    chosen = _base(made, base)
    return Study(tuple(sorted(made, key=lambda arm: (arm.name != chosen, arm.name))), chosen, missing)


def runs_below(root: Path) -> Iterator[Path]:
    """Folders of runs, links followed; not controls, which stand in their run's table, nor what is being deleted."""
    for name, inner, files in os.walk(root, followlinks=True):
        inner[:] = [each for each in inner if not each.startswith(".") and each != "controls"]
        if {folders.MARKER, folders.CONFIG} <= set(files):
            yield Path(name)


def _reason(folder: Path) -> str:
    found = outcome(folder)
    return f"{found.state}: {found.why}" if found.why else found.state


def _recipe(folder: Path) -> str:
    """What runs of one arm have in common: the experiment, and all that decides their numbers but the seed.

    An experiment that repeats another's settings is an arm of its own: a control of the study itself.
    """
    cfg = folders.read_config(folder)
    told = {key: value for key, value in folders.science(cfg).items() if key != SEED}
    return json.dumps([cfg["name"], told], sort_keys=True, default=str)


def _words(folder: Path) -> list[str]:
    """The experiment, and what was said on the command line, or else which keys differ."""
    changed = folders.read_difference(folder)
    said = [word for word in folders.read_overrides(folder) if word.partition("=")[0] not in ("experiment", SEED)]
    words = said or [f"{key}={value}" for key, value in changed.items() if key != SEED]
    return [f"experiment={folders.read_config(folder)['name']}", *words]


def _names(words: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Each arm's name: its words but for those that all arms have; and where one experiment has several arms and each
    of the others is an experiment by itself, but for those that all of its own have.
    """
    groups: dict[str, list[set[str]]] = {}
    for experiment, *rest in words.values():
        groups.setdefault(experiment, []).append({experiment, *rest})
    every = [each for group in groups.values() for each in group]
    common = set.intersection(*every) if len(every) > 1 else set()
    large = [experiment for experiment, group in groups.items() if len(group) > 1]
    own = set.intersection(*groups[large[0]]) if len(large) == 1 else set()
    return {
        key: ", ".join(w for w in said if w not in (common | own if said[0] in large else common)) or PLAIN
        for key, said in words.items()
    }


def _by_seed(trial: Trial) -> int:
    return trial.seed


def _trial(folder: Path) -> Trial:
    grades = {path.parent.name: Grades.load(path) for path in sorted(folder.glob("replies/*/scores.json"))}
    return Trial(folder, int(folders.read_config(folder)[SEED]), grades)


def _refuse_what_cannot_be_told_apart(arms: Sequence[Arm]) -> None:
    names = [arm.name for arm in arms]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise StudyError(
            f"two arms are called {twice[0]!r}, but their settings differ: was the experiment edited since?"
        )
    for arm in arms:
        if len(set(arm.seeds)) < len(arm.seeds):
            raise StudyError(f"{arm.name}: a seed is there twice: {', '.join(str(t.folder) for t in arm.trials)}")


def _base(arms: Sequence[Arm], wanted: str | None) -> str:
    """The arm, or of the experiment, that is asked for: the one with the fewest changes to its experiment."""
    names = [arm.name for arm in arms]
    if wanted in names:
        return str(wanted)
    of = {arm.name: folders.read_config(arm.trials[0].folder)["name"] for arm in arms}
    changes = {
        arm.name: len(folders.read_difference(arm.trials[0].folder).keys() - {SEED})
        for arm in arms
        if wanted in (None, of[arm.name])
    }
    if not changes:
        raise StudyError(f"no arm is called {wanted!r}; there are {', '.join(names)}.{suggestion(str(wanted), names)}")
    fewest = [name for name, count in changes.items() if count == min(changes.values())]
    if len(fewest) > 1:
        raise StudyError(f"no arm is the experiment unchanged; say which is the base: {', '.join(fewest)}")
    return fewest[0]


def _refuse_other_items(arms: Sequence[Arm]) -> None:
    first, *others = [trial for arm in arms for trial in arm.trials]
    for other in others:
        for split in set(first.grades) & set(other.grades):
            if [i.id for i in first.grades[split].items] != [i.id for i in other.grades[split].items]:
                both = f"{first.folder} and {other.folder}"
                raise StudyError(f"{both} did not answer the same items of {split}; a paired test needs that")


def _gain(arm: Arm, base: Arm, split: str, metric: str) -> Comparison:
    scores = (each.values(split, metric) for each in (arm, base))
    return resampled(*scores, same_seeds=arm.seeds == base.seeds)
