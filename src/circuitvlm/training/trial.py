"""How does a sweep survive its trials? Each runs in a process of its own, and one that fails says so in its folder."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from omegaconf import DictConfig

from circuitvlm.runtime import folder as folders
from circuitvlm.runtime.check import ConfigError
from circuitvlm.runtime.lock import HeldError, held
from circuitvlm.training import child

log = logging.getLogger(__name__)


class TrialError(RuntimeError):
    """A trial of a sweep that failed, while the others went on."""


def run_trial(cfg: DictConfig, *, base: DictConfig, overrides: Sequence[str]) -> Path:
    """Train and evaluate one trial of a sweep, unless that is done; returns its folder.

    Raises TrialError where it fails; the reason lies in its folder, and the same command tries it again. Raises
    HeldError where another process is at work on it.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError(["-m: a sweep under torchrun; say trainer=ddp trainer.devices=N without it, for each trial"])
    if cfg.folder:
        raise ConfigError([f"folder={cfg.folder}: the trials of a sweep cannot share one; say runs=FOLDER"])
    where = folders.run_folder(cfg, base)
    if folders.state(where) == "finished" and not cfg.fresh:
        folders.refuse_other_science(where, cfg)
        log.info("finished before: %s", where)
        return where
    if folders.state(where) != "new":
        with held(where):
            (where / folders.FAILED).unlink(missing_ok=True)  # of an earlier try
    log.info("trial %s: %s", where, " ".join(overrides) or "nothing changed")
    with TemporaryDirectory() as aside:
        configs = {name: Path(aside, f"{name}.yaml") for name in ("config", "base")}
        for path, each in zip(configs.values(), (cfg, base), strict=True):
            path.write_text(folders.as_yaml(each), encoding="utf-8")
        status = child.run([*child.PROGRAM, *map(str, configs.values()), *overrides])
    if status:
        if not (where / folders.FAILED).is_file():  # the process itself has written why, unless it was killed
            killed = f"killed by signal {-status}" if status < 0 else f"ended with status {status}"
            note_failure(where, f"{killed}, without a word of its own\n")
        raise TrialError(
            f"{where}: the trial ended with status {status} (why: above, and in its {folders.FAILED}). The "
            "others go on, and the same command runs what is missing"
        )
    return where


def note_failure(where: Path, why: str) -> None:
    """Say in a run's folder why it failed, if there is a started one in it and no other process is at work on that."""
    if folders.state(where) != "started":
        return
    with suppress(HeldError), held(where):
        folders.write_atomic(where / folders.FAILED, why)
