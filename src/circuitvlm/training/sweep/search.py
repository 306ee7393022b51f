"""Which trial comes next, and when is a study done? Optuna proposes (TPE), and a journal remembers."""

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
from circuitvlm.runtime.folders.lock import held
from circuitvlm.runtime.folders.outcome import outcome, read_validated
from circuitvlm.runtime.seed import stream
from circuitvlm.runtime.spelling import suggestion
from circuitvlm.training.sweep.journal import JOURNAL, mend, study_in, trial_of
from circuitvlm.training.sweep.space import Choice, Settings, Span, space_of
from circuitvlm.training.sweep.trial import StoppedError, TrialError

SWEEP = "sweep.json"
log = logging.getLogger(__name__)


class Study:
    """The trials of one question: what is fixed, what is searched, by which metric. Used as a context, it is held.

    Its folder is named by that question, so that the same command finds it: runs/<name>/sweep-<keys>-<hash>. How many
    trials there are to be, and when one is pruned, may be said otherwise the next time; with `fresh` it begins anew.
    Raises HeldError where another sweep is at work on it.
    """

    def __init__(self, fixed: DictConfig, *, space: Iterable[Override], settings: Settings) -> None:
        self.settings = settings
        self.space = space_of(space)
        question = {
            "metric": settings.metric,
            "direction": settings.direction,
            "space": {key: asdict(span) for key, span in sorted(self.space.items())},
            "fixed": folders.science(fixed),
        }
        text = json.dumps(question, sort_keys=True, default=str)
        keys = "-".join(re.sub(r"\W+", "_", key.rpartition(".")[2]) for key in self.space)[:60]
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        self.folder = Path(str(fixed.runs), str(fixed.name), f"sweep-{keys}-{digest}")
        self._question, self._fresh = question, bool(fixed.get("fresh"))
        self._stopped: dict[int, StoppedError] = {}
        self._open = ExitStack()

    def __enter__(self) -> Study:
        self._open.enter_context(held(self.folder))
        if self._fresh:
            (self.folder / JOURNAL).unlink(missing_ok=True)
        mend(self.folder)
        folders.write_atomic(
            self.folder / SWEEP, json.dumps(self._question, indent=1, sort_keys=True, default=str) + "\n"
        )
        self.study = study_in(self.folder, direction=self.settings.direction)
        before = self._of(TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
        log.info("study %s: %d of %d trials are done", self.folder, len(before), self.settings.n_trials)
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def ask(self) -> list[int]:
        """The numbers of the next trials, at most as many as run at a time; those that were interrupted come first.

        One that was asked to stop waits for the next start of the sweep.
        """
        begun = [trial.number for trial in self._of(TrialState.RUNNING) if trial.number not in self._stopped]
        numbers = begun[: self.settings.parallel]
        missing = self.settings.n_trials - len(self.study.get_trials(deepcopy=False))
        numbers += [self.study.ask().number for _ in range(min(self.settings.parallel - len(numbers), missing))]
        for number in numbers:
            self.study.sampler = self._sampler(number)
            _draw(trial_of(self.study, number), self.space)
        return numbers

    def words(self, number: int) -> list[str]:
        """What is said on a trial's command line: its values, and to its sweeper which trial of which study it is.

        Fractions are said to four digits, which folders are named by.
        """
        values = self.study.get_trials(deepcopy=False)[number].params
        place = str(self.folder).replace("\\", "\\\\").replace("'", "\\'")
        return [
            *(f"{key}={_said(value)}" for key, value in values.items()),
            f"hydra.sweeper.trial={number}",
            f"hydra.sweeper.folder='{place}'",
        ]

    def tell(self, number: int, ended: Path | TrialError) -> None:
        """Write down what became of a trial: its value, that it was pruned, or why it failed; nothing if it stopped."""
        trial = trial_of(self.study, number)
        if isinstance(ended, StoppedError):
            self._stopped[number] = ended
            return
        if isinstance(ended, TrialError):
            self._failed(trial, str(ended))
            return
        trial.set_user_attr("folder", str(ended))
        if outcome(ended).state == "pruned":
            self.study.tell(number, state=TrialState.PRUNED)
            return
        value, odd = self._value(ended)
        if odd:
            self._failed(trial, f"{ended}: {odd}")
            return
        self.study.tell(number, value)
        log.info(
            "trial %d: %s %g; the best so far is trial %d",
            number,
            self.settings.metric,
            value,
            self.study.best_trial.number,
        )

    def outcomes(self) -> list[Path | TrialError]:
        """Of all trials that are done, and of those that were stopped."""
        done = self._of(TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
        return [*map(_of_done, done), *self._stopped.values()]

    def _sampler(self, number: int) -> TPESampler:
        """Its seed goes by the trial: a study that was interrupted proposes what it would have proposed."""
        many = self.settings.parallel > 1
        seed = stream(self.settings.seed, "proposal", number) % 2**32
        return TPESampler(seed=seed, n_startup_trials=self.settings.startup, constant_liar=many)

    def _of(self, *states: TrialState) -> list[FrozenTrial]:
        return self.study.get_trials(deepcopy=False, states=states)

    def _failed(self, trial: Trial, why: str) -> None:
        trial.set_user_attr("error", why)
        self.study.tell(trial.number, state=TrialState.FAIL)

    def _value(self, folder: Path) -> tuple[float, str]:
        """A run's last value of the metric, and what is wrong with it."""
        rows = read_validated(folder)
        metric = self.settings.metric
        values = [row[metric] for row in rows if metric in row]
        if not values:
            known = sorted({key for row in rows for key in row})
            return (
                math.nan,
                f"it never told of {metric!r}; validated: {', '.join(known) or 'nothing'}.{suggestion(metric, known)}",
            )
        return values[-1], "" if math.isfinite(values[-1]) else f"{metric} was {values[-1]}"


def _of_done(trial: FrozenTrial) -> Path | TrialError:
    if trial.state is TrialState.FAIL:
        return TrialError(f"trial {trial.number}: {trial.user_attrs.get('error', 'no reason is known')}")
    return Path(trial.user_attrs["folder"])


def _said(value: str | float) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _draw(trial: Trial, space: dict[str, Choice | Span]) -> None:
    """Give a trial its values; what it had before it was interrupted stays."""
    for key, span in space.items():
        if isinstance(span, Choice):
            trial.suggest_categorical(key, span.words)
        elif span.whole:
            trial.suggest_int(key, int(span.low), int(span.high), step=int(span.step or 1), log=span.log)
        else:
            trial.suggest_float(key, span.low, span.high, step=span.step, log=span.log)
