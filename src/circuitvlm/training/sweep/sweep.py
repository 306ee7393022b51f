"""Which trials does a sweep have, and what came of them? Hydra's `-m`: every combination, or those of a study.

Hydra builds sweepers of its own package of plugins only, so the classes say that they are of it; `register` makes them
known without such a package being installed.
"""

from __future__ import annotations

import importlib
import importlib.util
import itertools
import logging
import sys
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from circuitvlm.runtime.config.check import ConfigError
from circuitvlm.runtime.entry import USERS_FAULT, ToldError
from circuitvlm.runtime.folders.outcome import outcome
from circuitvlm.training.sweep.devices import share_threads
from circuitvlm.training.sweep.space import Settings
from circuitvlm.training.sweep.trial import StoppedError, TrialError

PLUGINS = "hydra_plugins.circuitvlm"
log = logging.getLogger(__name__)


def register() -> None:
    """Make the sweepers known to Hydra, as conf/hydra/sweeper names them."""
    package, _, module = PLUGINS.partition(".")
    known = Plugins.instance()  # which looks for the package: before it is there in name only
    plugins = importlib.import_module(package) if importlib.util.find_spec(package) else types.ModuleType(package)
    setattr(sys.modules.setdefault(package, plugins), module, sys.modules[__name__])
    for sweeper in (Grid, Tuner):
        known.register(sweeper)


class _Sweep(Sweeper):
    """What both sweepers do: hand trials to a launcher, and look at what became of each."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.hydra_context, self.config = hydra_context, config
        self.launcher: Launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def parsed(self, params: Mapping[str, Any], arguments: Sequence[str]) -> list[Override]:
        """The overrides of the experiment's own sweep and of the command line, which has the last word on a key."""
        assert self.hydra_context is not None, "setup() comes first"
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        told = parser.parse_overrides([*(f"{key}={value}" for key, value in params.items()), *arguments])
        return list({override.get_key_element(): override for override in told}.values())

    def launched(self, jobs: Sequence[Sequence[str]], *, first: int) -> list[Path | TrialError]:
        """The folder of each trial, or why it failed. Where a launcher loses one, it tells of no other that it had."""
        assert self.config is not None, "setup() comes first"
        share_threads(self.config.hydra.launcher, self.config.get("trainer") or {}, trials=len(jobs))
        try:
            returned = self.launcher.launch([list(job) for job in jobs], initial_job_idx=first)
        except USERS_FAULT:
            raise
        except Exception as error:  # a job of submitit, or a worker of joblib, that was killed: each has its own class
            log.error("the launcher broke off", exc_info=error)
            said = f"{type(error).__name__}: {error}".splitlines()[0]
            return [StoppedError(f"{' '.join(job)}: perhaps not run, the launcher broke off ({said})") for job in jobs]
        return [_outcome(each) for each in returned]


def _outcome(returned: JobReturn) -> Path | TrialError:
    if returned.status is not JobStatus.FAILED:
        return Path(returned.return_value)
    error = returned._return_value  # the property would raise it
    if isinstance(error, TrialError):
        return error
    words = " ".join(returned.overrides or ())
    log.error("trial %s", words, exc_info=error)  # a fault of ours; the others are worth going on with
    return TrialError(f"{words}: {type(error).__name__}: {error}")


class Grid(_Sweep):
    """Every combination of the values, by the launcher; what failed is told when all others are done."""

    __module__ = PLUGINS

    def __init__(self, *, max_batch_size: int | None, params: Mapping[str, str] | None) -> None:
        self.at_a_time, self.params = max_batch_size, params or {}

    def sweep(self, arguments: list[str]) -> list[Path]:
        """The folders of the trials; raises ToldError where some failed."""
        jobs = list(itertools.product(*map(_values, self.parsed(self.params, arguments))))
        self.validate_batch_is_legal(jobs)  # a misspelt key is told before the first trial, not after it
        found: list[Path | TrialError] = []
        for start in range(0, len(jobs), self.at_a_time or len(jobs)):
            found += self.launched(jobs[start : start + (self.at_a_time or len(jobs))], first=start)
        return finished(found, then="the same command tries them again")


class Tuner(_Sweep):
    """Trials that Optuna proposes one after the other, or some at a time; its journal lies in the sweep's folder."""

    __module__ = PLUGINS

    def __init__(self, *, params: Mapping[str, str] | None, folder: str | None, trial: int | None, **told: Any) -> None:
        self.params = params or {}
        self.settings = Settings(**told)

    def sweep(self, arguments: list[str]) -> list[Path]:
        """The folders of the study's trials, of earlier starts too; raises ToldError where some failed."""
        if importlib.util.find_spec("optuna") is None:
            raise ConfigError(["hydra/sweeper=optuna: optuna is not installed; pip install 'circuitvlm[sweep]'"])
        from circuitvlm.training.sweep.search import Study  # optuna is an extra, and takes its time

        told = self.parsed(self.params, arguments)
        fixed = [each.input_line or "" for each in told if not each.is_sweep_override()]
        space = [each for each in told if each.is_sweep_override()]
        assert self.config is not None, "setup() comes first"
        own = OmegaConf.masked_copy(self.config, [str(key) for key in self.config if key != "hydra"])
        with Study(own, space=space, settings=self.settings) as study:
            while asked := study.ask():
                jobs = [[*fixed, *study.words(number)] for number in asked]
                self.validate_batch_is_legal(jobs)
                for number, ended in zip(asked, self._once(jobs, first=asked[0]), strict=True):
                    study.tell(number, ended)
            return finished(study.outcomes(), then="the study goes on without them")

    def _once(self, jobs: Sequence[Sequence[str]], *, first: int) -> list[Path | TrialError]:
        """As `launched`; what is proposed twice at a time, but for the trial's own number, is trained once."""
        alike = [tuple(word for word in job if not word.startswith("hydra.sweeper.")) for job in jobs]
        places = {key: place for place, key in reversed(list(enumerate(alike)))}
        chosen = sorted(places.values())
        outcomes = self.launched([jobs[place] for place in chosen], first=first)
        made = dict(zip(chosen, outcomes, strict=True))
        return [made[places[key]] for key in alike]


def _values(override: Override) -> list[str]:
    """What an override says in each of its trials."""
    if not override.is_sweep_override():
        return [override.input_line or ""]
    return [f"{override.get_key_element()}={value}" for value in override.sweep_string_iterator()]


def finished(found: Sequence[Path | TrialError], *, then: str) -> list[Path]:
    """The folders; raises ToldError, which names each that failed, what happens `then`, and each that is not done."""
    folders = [each for each in found if isinstance(each, Path)]
    stopped = [each for each in found if isinstance(each, StoppedError)]
    failed = [each for each in found if isinstance(each, TrialError) and each not in stopped]
    pruned = sum(outcome(folder).state == "pruned" for folder in folders)
    said = f"{len(folders) - pruned} of {len(found)} trials finished" + f", {pruned} pruned" * bool(pruned)
    said += f", {len(failed)} failed ({then})" * bool(failed)
    said += f", {len(stopped)} not finished (the same command goes on with them)" * bool(stopped)
    if failed or stopped:
        raise ToldError("\n  ".join([f"{said}:", *map(str, [*failed, *stopped])]))
    log.info("%s", said)
    return folders
