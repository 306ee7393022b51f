"""Sweep over trials under Hydra's `-m`: every combination of values, or the trials of a study.

Hydra builds sweepers only from its own package of plugins, so the classes state that package as theirs. `register` adds
them without an installed package.
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
from circuitvlm.runtime.entry import USER_ERRORS, ReportedError
from circuitvlm.runtime.folders.outcome import read_outcome
from circuitvlm.training.sweep.devices import share_threads
from circuitvlm.training.sweep.space import Settings
from circuitvlm.training.sweep.trial import StoppedError, TrialError

PLUGINS = "hydra_plugins.circuitvlm"
log = logging.getLogger(__name__)


def register() -> None:
    """Register the sweepers with Hydra under the names in conf/hydra/sweeper."""
    package, _, module = PLUGINS.partition(".")
    registry = Plugins.instance()  # it looks for the package, so it comes before a package without files
    plugins = importlib.import_module(package) if importlib.util.find_spec(package) else types.ModuleType(package)
    setattr(sys.modules.setdefault(package, plugins), module, sys.modules[__name__])
    for sweeper in (Grid, Tuner):
        registry.register(sweeper)


class _Sweep(Sweeper):
    """A sweeper that gives trials to a launcher, and collects their results."""

    hydra_context: HydraContext
    config: DictConfig

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.hydra_context, self.config = hydra_context, config
        self.launcher: Launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def parse(self, params: Mapping[str, Any], arguments: Sequence[str]) -> list[Override]:
        """The overrides of the experiment's own sweep and of the command line, whose value of a key is used."""
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        overrides = parser.parse_overrides([*(f"{key}={value}" for key, value in params.items()), *arguments])
        return list({override.get_key_element(): override for override in overrides}.values())

    def launch(self, jobs: Sequence[Sequence[str]], *, first: int) -> list[Path | TrialError]:
        """The folder of each trial, or its error. A launcher that loses one returns no result of the others either."""
        share_threads(self.config.hydra.launcher, self.config.get("trainer") or {}, trials=len(jobs))
        try:
            returns = self.launcher.launch([list(job) for job in jobs], initial_job_idx=first)
        except USER_ERRORS:
            raise
        except Exception as error:  # a job of submitit, or a worker of joblib, that was killed: each has its own class
            log.error("the launcher has failed", exc_info=error)
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            note = f"perhaps not run, the launcher has failed ({reason})"
            return [StoppedError(f"{' '.join(job)}: {note}") for job in jobs]
        return [_result(job_return) for job_return in returns]


def _result(job_return: JobReturn) -> Path | TrialError:
    if job_return.status is not JobStatus.FAILED:
        return Path(job_return.return_value)
    error = job_return._return_value  # the property would raise it
    if isinstance(error, TrialError):
        return error
    overrides = " ".join(job_return.overrides or ())
    log.error("trial %s", overrides, exc_info=error)  # an error in this project's code; the sweep continues
    return TrialError(f"{overrides}: {type(error).__name__}: {error}")


class Grid(_Sweep):
    """Every combination of the values, by the launcher; failures are reported when all trials have ended."""

    __module__ = PLUGINS

    def __init__(self, *, max_batch_size: int | None, params: Mapping[str, str] | None) -> None:
        self.max_batch_size, self.params = max_batch_size, params or {}

    def sweep(self, arguments: list[str]) -> list[Path]:
        """The folders of the trials; raises ReportedError where some failed."""
        jobs = list(itertools.product(*map(_assignments, self.parse(self.params, arguments))))
        self.validate_batch_is_legal(jobs)  # a misspelt key is an error before the first trial
        batch_size = self.max_batch_size or len(jobs)
        results: list[Path | TrialError] = []
        for start in range(0, len(jobs), batch_size):
            results += self.launch(jobs[start : start + batch_size], first=start)
        return check_results(results, retry_note="the same command repeats them")


class Tuner(_Sweep):
    """Trials that Optuna proposes one after the other, or some at a time, with a journal in the sweep's folder."""

    __module__ = PLUGINS

    def __init__(
        self, *, params: Mapping[str, str] | None, folder: str | None, trial: int | None, **settings: Any
    ) -> None:
        self.params = params or {}
        self.settings = Settings(**settings)

    def sweep(self, arguments: list[str]) -> list[Path]:
        """The folders of the study's trials, of earlier starts too; raises ReportedError where some failed."""
        if importlib.util.find_spec("optuna") is None:
            raise ConfigError(["hydra/sweeper=optuna: expected the package optuna; pip install 'circuitvlm[sweep]'"])
        from circuitvlm.training.sweep.search import Study  # optuna is an extra, and slow to import

        overrides = self.parse(self.params, arguments)
        fixed_overrides = [override.input_line or "" for override in overrides if not override.is_sweep_override()]
        space = [override for override in overrides if override.is_sweep_override()]
        cfg = OmegaConf.masked_copy(self.config, [str(key) for key in self.config if key != "hydra"])
        with Study(cfg, space=space, settings=self.settings) as study:
            while numbers := study.ask():
                jobs = [[*fixed_overrides, *study.overrides(number)] for number in numbers]
                self.validate_batch_is_legal(jobs)
                for number, result in zip(numbers, self._launch_distinct(jobs, first=numbers[0]), strict=True):
                    study.tell(number, result)
            return check_results(study.results(), retry_note="the study continues without them")

    def _launch_distinct(self, jobs: Sequence[Sequence[str]], *, first: int) -> list[Path | TrialError]:
        """As `launch`, but of jobs that differ only in the trial's number, one is run for all."""
        keys = [tuple(word for word in job if not word.startswith("hydra.sweeper.")) for job in jobs]
        distinct = {key: keys.index(key) for key in keys}
        results = self.launch([jobs[index] for index in distinct.values()], first=first)
        results_by_key = dict(zip(distinct, results, strict=True))
        return [results_by_key[key] for key in keys]


def _assignments(override: Override) -> list[str]:
    """`key=value` for each value of an override."""
    if not override.is_sweep_override():
        return [override.input_line or ""]
    return [f"{override.get_key_element()}={value}" for value in override.sweep_string_iterator()]


def check_results(results: Sequence[Path | TrialError], *, retry_note: str) -> list[Path]:
    """The folders of trials. Raises ReportedError with each trial that failed or is not finished.

    `retry_note` says what happens with the failed ones.
    """
    folders = [result for result in results if isinstance(result, Path)]
    stopped_trials = [result for result in results if isinstance(result, StoppedError)]
    failures = [result for result in results if isinstance(result, TrialError) and result not in stopped_trials]
    pruned_count = sum(read_outcome(folder).state == "pruned" for folder in folders)
    summary = f"{len(folders) - pruned_count} of {len(results)} trials finished"
    for count, note in (
        (pruned_count, "pruned"),
        (len(failures), f"failed ({retry_note})"),
        (len(stopped_trials), "not finished (the same command resumes them)"),
    ):
        summary += f", {count} {note}" * bool(count)
    if failures or stopped_trials:
        raise ReportedError("\n  ".join([f"{summary}:", *map(str, [*failures, *stopped_trials])]))
    log.info("%s", summary)
    return folders
