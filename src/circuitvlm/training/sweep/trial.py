"""Run each trial of a sweep in a process of its own, and record a failure in its folder."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from omegaconf import DictConfig, OmegaConf

from circuitvlm.runtime.config.check import ConfigError, check
from circuitvlm.runtime.entry import USER_ERRORS, ReportedError
from circuitvlm.runtime.folders import run_folder as folders
from circuitvlm.runtime.folders.lock import FolderLockedError, lock_folder
from circuitvlm.runtime.folders.outcome import PRUNED_FILE, clear_outcome, read_outcome
from circuitvlm.runtime.folders.portable import unresolved_yaml
from circuitvlm.runtime.folders.saved_file import FolderError
from circuitvlm.training.checkpoint.stop_request import SIGNALS, STOP_STATUS
from circuitvlm.training.sweep import child_process
from circuitvlm.training.sweep.devices import reserve_gpus

log = logging.getLogger(__name__)


class TrialError(ReportedError):
    """A trial of a sweep has failed; the other trials continue."""


class StoppedError(TrialError):
    """A trial was asked to stop, or another process works on it: it has not failed."""


def attempt_trial(cfg: DictConfig, *, base: DictConfig, overrides: Sequence[str], sweeper: Mapping[str, Any]) -> Path:
    """Call `run_trial`; an error of the user is written into the trial's folder and raised as a TrialError.

    `sweeper` is Hydra's section of that name. With a `trial` in it, the run asks the study of a Tuner about pruning.
    """
    folder = None
    try:
        check(cfg)
        folder = folders.run_folder(cfg, base)
        pruning = pruning_callback(sweeper) if sweeper.get("trial") is not None else None
        return run_trial(cfg, base=base, overrides=overrides, pruning=pruning)
    except FolderLockedError as error:
        log.warning("trial %s: %s", " ".join(overrides), error)
        raise StoppedError(f"{folder}: {error}") from None
    except (*USER_ERRORS, ValueError) as error:
        if not isinstance(error, FolderError):  # which is about another run in the folder
            with suppress(*USER_ERRORS, ValueError):  # a config that cannot be resolved has no folder
                folder = folders.run_folder(cfg, base)
                write_failure(folder, f"{error}\n", cfg=cfg, base=base, overrides=overrides)
        log.error("trial %s: %s", " ".join(overrides), error)
        raise TrialError(f"{folder or ' '.join(overrides)}: {error}") from None


def pruning_callback(sweeper: Mapping[str, Any]) -> dict[str, Any]:
    """The section of the callback that asks a study after each validation whether to prune this trial."""
    settings = {key: sweeper[key] for key in ("folder", "trial", "metric", "prune_after", "prune_from")}
    return {"_target_": "circuitvlm.training.callback.pruning.Pruning", **settings}


def run_trial(
    cfg: DictConfig, *, base: DictConfig, overrides: Sequence[str], pruning: Mapping[str, Any] | None = None
) -> Path:
    """Train and evaluate one trial of a sweep, unless it is finished; returns its folder.

    Raises TrialError where it fails, with the reason in its folder; the same command tries it again. Raises
    StoppedError where it was asked to stop, and FolderLockedError where another process works on it.
    """
    processes = _launcher_processes()
    _check_trial(cfg)
    folder = folders.run_folder(cfg, base)
    if folders.read_state(folder) == "finished" and not cfg.overwrite:
        folders.check_same_settings(folder, cfg)
        log.info("trial %s is finished already", folder)
        return folder
    if was_pruned(folder, pruning):
        return folder  # the sweep was killed before it read this
    if folders.read_state(folder) != "new":
        with lock_folder(folder):
            clear_outcome(folder)
    log.info("trial %s: %s", folder, " ".join(overrides) or "no changes")
    with TemporaryDirectory() as name, reserve_gpus(cfg.get("trainer") or {}, processes=processes) as variables:
        paths = [Path(name, "config.yaml"), Path(name, "base.yaml")]
        for path, content in zip(paths, (_with_pruning(cfg, pruning), base), strict=True):
            path.write_text(unresolved_yaml(content), encoding="utf-8")
        status = child_process.run(
            [*child_process.command(processes), *map(str, paths), *overrides],
            env=child_process.environment_without_launcher() | variables,
        )
    if not status or was_pruned(folder, pruning):  # of several ranks, the launcher kills some after a pruning
        return folder
    if status in (STOP_STATUS, *(-number for number in SIGNALS)):
        raise StoppedError(f"{folder}: it was asked to stop")
    reason = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
    if not (folder / folders.FAILED_FILE).is_file():  # the process itself has written it, unless it was killed
        write_failure(folder, f"it {reason} without an error message\n", cfg=cfg, base=base, overrides=overrides)
    log.error("trial %s: it %s; its error is shown above, and in its %s", folder, reason, folders.FAILED_FILE)
    raise TrialError(f"{folder}: {read_outcome(folder).reason or reason}")


def _launcher_processes() -> int:
    """The number of ranks that an outer launcher (torchrun, deepspeed) has started; each trial gets as many."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    local = int(os.environ.get("LOCAL_WORLD_SIZE", os.environ.get("LOCAL_SIZE", world)))
    if world != local:
        raise ConfigError(
            [f"-m: expected a launcher with all processes on one node, got {local} of {world} processes on this one"]
        )
    return world


def _check_trial(cfg: DictConfig) -> None:
    if cfg.folder:
        raise FolderError(
            f"folder: expected no folder, since the trials of a sweep cannot share one, got {cfg.folder}; use "
            "runs=FOLDER"
        )
    if (nodes := OmegaConf.select(cfg, "trainer.num_nodes") or 1) > 1:
        raise ConfigError([f"trainer.num_nodes: expected 1, since a trial of a sweep runs on one node, got {nodes}"])


def _with_pruning(cfg: DictConfig, pruning: Mapping[str, Any] | None) -> DictConfig:
    """The config with the pruning callback, which does not change the name of its folder."""
    if pruning is None:
        return cfg
    new_cfg = OmegaConf.create({**cfg, "callback": {**(cfg.get("callback") or {}), "pruning": dict(pruning)}})
    assert isinstance(new_cfg, DictConfig), "a config is a mapping"
    return new_cfg


def was_pruned(folder: Path, pruning: Mapping[str, Any] | None) -> bool:
    """Whether the run of a folder was pruned as the trial of the study that `pruning` names."""
    path = folder / PRUNED_FILE
    if pruning is None or not path.is_file():
        return False
    return path.read_text(encoding="utf-8").startswith(f"trial {pruning['trial']} of {pruning['folder']}: ")


def write_failure(
    folder: Path,
    reason: str,
    *,
    cfg: DictConfig | None = None,
    base: DictConfig | None = None,
    overrides: Sequence[str] = (),
) -> None:
    """Write into a run's folder why it failed, unless it is finished or another process works on it.

    With `cfg` and `base`, a missing folder is created first.
    """
    with suppress(FolderLockedError):
        if folders.read_state(folder) == "new" and cfg is not None and base is not None:
            with folders.open_run(folder, cfg, base=base, overwrite=False):
                folders.write_overrides(folder, overrides)
        if folders.read_state(folder) == "started":
            with lock_folder(folder):
                folders.write_atomic(folder / folders.FAILED_FILE, reason)
