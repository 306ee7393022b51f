"""Search by an Optuna study (TPE): propose trials, and record their results in a journal."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import re
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial, Trial, TrialState

from circuitvlm.runtime.folders import run_folder as folders
from circuitvlm.runtime.folders.links import refuse_links
from circuitvlm.runtime.folders.lock import lock_folder
from circuitvlm.runtime.folders.outcome import read_outcome, read_validations
from circuitvlm.runtime.folders.settings import scientific_settings
from circuitvlm.runtime.seed import derive_seed
from circuitvlm.runtime.spelling import suggestion
from circuitvlm.training.sweep.journal import JOURNAL, open_study, repair_journal, running_trial
from circuitvlm.training.sweep.space import Choice, NumberRange, Settings, search_space
from circuitvlm.training.sweep.trial import StoppedError, TrialError

SWEEP = "sweep.json"
ENDED_STATES = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
log = logging.getLogger(__name__)


class Study:
    """The trials of one search: fixed settings, a search space and a metric. As a context it locks its folder.

    The folder is named by these three, so that the same command finds it: runs/<name>/sweep-<keys>-<hash>. The number
    of trials and the pruning may be changed later. With `overwrite` in the fixed settings it starts again. Raises
    FolderLockedError where another sweep works on it.
    """

    def __init__(self, fixed_settings: DictConfig, *, space: Iterable[Override], settings: Settings) -> None:
        self.settings = settings
        self.space = search_space(space)
        question = {
            "metric": settings.metric,
            "direction": settings.direction,
            "space": {key: asdict(values) for key, values in sorted(self.space.items())},
            "fixed": scientific_settings(fixed_settings),
        }
        text = json.dumps(question, sort_keys=True, default=str)
        keys = "-".join(re.sub(r"\W+", "_", key.rpartition(".")[2]) for key in self.space)[:60]
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        self.folder = Path(str(fixed_settings.runs), str(fixed_settings.name), f"sweep-{keys}-{digest}")
        self._question, self._overwrite = question, bool(fixed_settings.get("overwrite"))
        self._stopped_trials: dict[int, StoppedError] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Study:
        refuse_links(self.folder)
        self._stack.enter_context(lock_folder(self.folder))
        if self._overwrite:
            (self.folder / JOURNAL).unlink(missing_ok=True)
        repair_journal(self.folder)
        folders.write_atomic(
            self.folder / SWEEP, json.dumps(self._question, indent=1, sort_keys=True, default=str) + "\n"
        )
        self.study = open_study(self.folder, direction=self.settings.direction)
        count = len(self._trials(*ENDED_STATES))
        log.info("study %s: %d of %d trials are done", self.folder, count, self.settings.n_trials)
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def ask(self) -> list[int]:
        """The numbers of the next trials, at most as many as run at a time; interrupted ones come first.

        A trial that was asked to stop waits for the next start of the sweep.
        """
        running_numbers = (trial.number for trial in self._trials(TrialState.RUNNING))
        numbers = [number for number in running_numbers if number not in self._stopped_trials][: self.settings.parallel]
        remaining_count = self.settings.n_trials - len(self.study.get_trials(deepcopy=False))
        numbers += [self.study.ask().number for _ in range(min(self.settings.parallel - len(numbers), remaining_count))]
        for number in numbers:
            self.study.sampler = self._sampler(number)
            _suggest_values(running_trial(self.study, number), self.space)
        return numbers

    def overrides(self, number: int) -> list[str]:
        """A trial's command line: its values, and for its sweeper the trial and the study.

        Fractions have four digits, which are in the names of folders.
        """
        values = self.study.get_trials(deepcopy=False)[number].params
        folder = str(self.folder).replace("\\", "\\\\").replace("'", "\\'")
        return [
            *(f"{key}={f'{value:.4g}' if isinstance(value, float) else value}" for key, value in values.items()),
            f"hydra.sweeper.trial={number}",
            f"hydra.sweeper.folder='{folder}'",
        ]

    def tell(self, number: int, result: Path | TrialError) -> None:
        """Record a trial's result: its value, that it was pruned, or why it failed; nothing if it was stopped."""
        trial = running_trial(self.study, number)
        if isinstance(result, StoppedError):
            self._stopped_trials[number] = result
            return
        if isinstance(result, TrialError):
            self._record_failure(trial, str(result))
            return
        trial.set_user_attr("folder", str(result))
        if read_outcome(result).state == "pruned":
            self.study.tell(number, state=TrialState.PRUNED)
            return
        value, fault = self._value(result)
        if fault:
            self._record_failure(trial, f"{result}: {fault}")
            return
        self.study.tell(number, value)
        best_number = self.study.best_trial.number
        log.info("trial %d: %s %g; the best so far is trial %d", number, self.settings.metric, value, best_number)

    def results(self) -> list[Path | TrialError]:
        """The results of all trials that have ended, and of those that were stopped."""
        return [*map(_recorded_result, self._trials(*ENDED_STATES)), *self._stopped_trials.values()]

    def _sampler(self, number: int) -> TPESampler:
        """A sampler seeded by the trial, so that an interrupted study proposes the same values."""
        seed = derive_seed(self.settings.seed, "proposal", number) % 2**32
        is_parallel = self.settings.parallel > 1
        return TPESampler(seed=seed, n_startup_trials=self.settings.startup, constant_liar=is_parallel)

    def _trials(self, *states: TrialState) -> list[FrozenTrial]:
        return self.study.get_trials(deepcopy=False, states=states)

    def _record_failure(self, trial: Trial, reason: str) -> None:
        trial.set_user_attr("error", reason)
        self.study.tell(trial.number, state=TrialState.FAIL)

    def _value(self, folder: Path) -> tuple[float, str]:
        """A run's last value of the metric, and what is wrong with it."""
        rows = read_validations(folder)
        metric = self.settings.metric
        values = [row[metric] for row in rows if metric in row]
        if values:
            return values[-1], "" if math.isfinite(values[-1]) else f"expected a finite {metric}, got {values[-1]}"
        names = sorted({key for row in rows for key in row})
        choices = ", ".join(names) or "this run, which has none"
        hint = suggestion(metric, names)
        return math.nan, f"hydra.sweeper.metric: expected a validated value of {choices}, got {metric!r}.{hint}"


def _recorded_result(trial: FrozenTrial) -> Path | TrialError:
    if trial.state is TrialState.FAIL:
        return TrialError(f"trial {trial.number}: {trial.user_attrs.get('error', 'no reason is known')}")
    return Path(trial.user_attrs["folder"])


def _suggest_values(trial: Trial, space: dict[str, Choice | NumberRange]) -> None:
    """Give a trial its values; an interrupted one keeps the values that it has."""
    for key, values in space.items():
        if isinstance(values, Choice):
            trial.suggest_categorical(key, values.words)
        elif values.is_integer:
            trial.suggest_int(key, int(values.low), int(values.high), step=int(values.step or 1), log=values.log)
        else:
            trial.suggest_float(key, values.low, values.high, step=values.step, log=values.log)
