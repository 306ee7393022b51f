"""How does a sweep survive its trials? Each runs in a process of its own, and one that fails says so in its folder."""

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
from circuitvlm.runtime.entry import USERS_FAULT, ToldError
from circuitvlm.runtime.folders import run_folder as folders
from circuitvlm.runtime.folders.lock import HeldError, held
from circuitvlm.runtime.folders.outcome import PRUNED, forget, outcome
from circuitvlm.training.checkpoint.stop import ASKED, SIGNALS
from circuitvlm.training.sweep import child_process
from circuitvlm.training.sweep.devices import handed_out

log = logging.getLogger(__name__)


class TrialError(ToldError):
    """A trial of a sweep that failed, while the others went on."""


class StoppedError(TrialError):
    """A trial that was asked to stop, or that another process is at work on: it has not failed."""


def attempt(cfg: DictConfig, *, base: DictConfig, overrides: Sequence[str], sweeper: Mapping[str, Any]) -> Path:
    """A trial of a sweep, as `run_trial`, whatever is wrong with it: in words, in its folder, and as a TrialError.

    `sweeper` is Hydra's section of that name. One with a `trial` asks a study whether to go on (Tuner).
    """
    where = None
    try:
        check(cfg)
        where = folders.run_folder(cfg, base)
        pruning = pruned_by(sweeper) if sweeper.get("trial") is not None else None
        return run_trial(cfg, base=base, overrides=overrides, pruning=pruning)
    except HeldError as error:
        log.warning("trial %s: %s", " ".join(overrides), error)
        raise StoppedError(f"{where}: {error}") from None
    except (*USERS_FAULT, ValueError) as error:
        if not isinstance(error, folders.FolderError):  # which is about what others have done there
            with suppress(*USERS_FAULT, ValueError):  # of a config that cannot be resolved no folder can be told
                where = folders.run_folder(cfg, base)
                note_failure(where, f"{error}\n", cfg=cfg, base=base, overrides=overrides)
        log.error("trial %s: %s", " ".join(overrides), error)
        raise TrialError(f"{where or ' '.join(overrides)}: {error}") from None


def pruned_by(sweeper: Mapping[str, Any]) -> dict[str, Any]:
    """The callback that asks a study after each validation whether this trial goes on."""
    settings = {key: sweeper[key] for key in ("folder", "trial", "metric", "prune_after", "prune_from")}
    return {"_target_": "circuitvlm.training.callback.pruning.Pruning", **settings}


def run_trial(
    cfg: DictConfig, *, base: DictConfig, overrides: Sequence[str], pruning: Mapping[str, Any] | None = None
) -> Path:
    """Train and evaluate one trial of a sweep, unless that is done; returns its folder.

    Raises TrialError where it fails; the reason lies in its folder, and the same command tries it again; StoppedError
    where it was asked to stop. Raises HeldError where another process is at work on it.
    """
    processes = _processes()
    _refuse(cfg)
    where = folders.run_folder(cfg, base)
    if folders.state(where) == "finished" and not cfg.fresh:
        folders.refuse_other_science(where, cfg)
        log.info("finished before: %s", where)
        return where
    if was_pruned(where, pruning):
        return where  # by this very trial: the sweep was killed before it heard of it
    if folders.state(where) != "new":
        with held(where):
            forget(where)
    log.info("trial %s: %s", where, " ".join(overrides) or "nothing changed")
    told = cfg if pruning is None else _asking(cfg, pruning)
    with TemporaryDirectory() as aside, handed_out(cfg.get("trainer") or {}, processes=processes) as variables:
        configs = {name: Path(aside, f"{name}.yaml") for name in ("config", "base")}
        for path, each in zip(configs.values(), (told, base), strict=True):
            path.write_text(folders.as_yaml(each), encoding="utf-8")
        words = [*child_process.program(processes), *map(str, configs.values()), *overrides]
        status = child_process.run(words, env=child_process.alone() | variables)
    if not status or was_pruned(where, pruning):  # of several ranks, some are killed when the first has been told
        return where
    if status in (ASKED, *(-number for number in SIGNALS)):
        raise StoppedError(f"{where}: it was asked to stop")
    killed = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
    if not (where / folders.FAILED).is_file():  # the process itself has written why, unless it was killed
        said = f"it {killed}, without a word of its own\n"
        note_failure(where, said, cfg=cfg, base=base, overrides=overrides)
    log.error("trial %s: it %s; why: above, and in its %s", where, killed, folders.FAILED)
    raise TrialError(f"{where}: {outcome(where).why or killed}")


def _processes() -> int:
    """How many ranks an outer launcher (torchrun, deepspeed) has started here: as many as each trial then gets."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    here = int(os.environ.get("LOCAL_WORLD_SIZE", os.environ.get("LOCAL_SIZE", world)))
    if world != here:
        raise ConfigError(
            [f"-m: a sweep under a launcher of {world} processes, {here} of them here; a trial runs on one node"]
        )
    return world


def _refuse(cfg: DictConfig) -> None:
    if cfg.folder:
        raise folders.FolderError(f"folder={cfg.folder}: the trials of a sweep cannot share one; say runs=FOLDER")
    if (nodes := OmegaConf.select(cfg, "trainer.num_nodes") or 1) > 1:
        raise ConfigError([f"trainer.num_nodes={nodes}: a trial of a sweep runs on one node"])


def _asking(cfg: DictConfig, pruning: Mapping[str, Any]) -> DictConfig:
    """The config with what asks whether to go on: it is no part of its name."""
    callbacks = OmegaConf.to_container(cfg.callback) if cfg.get("callback") else {}
    assert isinstance(callbacks, dict), "callbacks are a mapping"
    changed = OmegaConf.create({**cfg, "callback": {**callbacks, "pruning": dict(pruning)}})
    assert isinstance(changed, DictConfig), "a config is a mapping"
    return changed


def was_pruned(where: Path, pruning: Mapping[str, Any] | None) -> bool:
    """True where a folder says that it was pruned as the very trial of the very study that `pruning` names."""
    path = where / PRUNED
    if pruning is None or not path.is_file():
        return False
    return path.read_text(encoding="utf-8").startswith(f"trial {pruning['trial']} of {pruning['folder']}: ")


def note_failure(
    where: Path,
    why: str,
    *,
    cfg: DictConfig | None = None,
    base: DictConfig | None = None,
    overrides: Sequence[str] = (),
) -> None:
    """Say in a run's folder why it failed, unless it is finished or another process is at work on it.

    With `cfg` and `base`, a folder that it had not come to begin is begun for that.
    """
    with suppress(HeldError):
        if folders.state(where) == "new" and cfg is not None and base is not None:
            with folders.begun(where, cfg, base=base, fresh=False):
                folders.note_overrides(where, overrides)
        if folders.state(where) == "started":
            with held(where):
                folders.write_atomic(where / folders.FAILED, why)
