"""Keep a study in a journal, a file with a line for each event, so that a kill at any moment loses nothing.

It is Optuna's journal (optuna.storages.journal) with another lock: Optuna's own locks outlive a killed process for half
a minute, this one ends with its process.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path

import optuna
from optuna.pruners import BasePruner, MedianPruner, NopPruner
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.study import StudyDirection
from optuna.trial import Trial

from circuitvlm.runtime.folders.run_folder import write_atomic

JOURNAL, NAME = "journal.log", "sweep"
log = logging.getLogger(__name__)

if sys.platform == "win32":

    def _lock(path: Path) -> JournalFileOpenLock:
        return JournalFileOpenLock(str(path))

else:
    import fcntl

    class _Flock(JournalFileOpenLock):
        """The kernel's lock on a second file, whose name is derived from the journal's."""

        def __init__(self, path: Path) -> None:
            super().__init__(str(path))
            self.path = path.with_name(f".{path.name}.lock")
            self.descriptor: int

        def acquire(self) -> bool:
            self.descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
            fcntl.flock(self.descriptor, fcntl.LOCK_EX)
            return True

        def release(self) -> None:
            os.close(self.descriptor)

    def _lock(path: Path) -> JournalFileOpenLock:
        return _Flock(path)


def open_study(folder: Path, *, direction: str | None = None, pruner: BasePruner | None = None) -> optuna.Study:
    """The study of a folder's journal; with a `direction`, a missing one is created.

    Raises FileNotFoundError where the study is missing and no direction is given.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path = folder / JOURNAL
    if direction is None and not path.is_file():
        raise FileNotFoundError(f"expected the journal of a study, got no file {path}")
    storage = JournalStorage(JournalFileBackend(str(path), lock_obj=_lock(path)))
    if direction is None:
        return optuna.load_study(study_name=NAME, storage=storage, pruner=pruner)
    return optuna.create_study(
        study_name=NAME, storage=storage, direction=StudyDirection[direction.upper()], load_if_exists=True
    )


def running_trial(study: optuna.Study, number: int) -> Trial:
    """A trial that runs, by its number, wherever it was started."""
    storage = study._storage
    return Trial(study, storage.get_trial_id_from_study_id_trial_number(study._study_id, number))


def make_pruner(*, prune_after: int | None, prune_from: int) -> BasePruner:
    """A pruner of trials below the median of earlier ones at the same step; it prunes nothing without `prune_after`."""
    if prune_after is None:
        return NopPruner()
    return MedianPruner(n_startup_trials=prune_after, n_warmup_steps=prune_from)


def repair_journal(folder: Path) -> None:
    """Delete lines of a journal that a full disk or a power cut has left half-written: they make it unreadable.

    The caller holds the folder's lock. The events of these lines are lost: at worst a trial is run again.
    """
    path = folder / JOURNAL
    lines = path.read_bytes().splitlines(keepends=True) if path.is_file() else []
    intact_lines = [line for line in lines if line.endswith(b"\n") and _is_json(line)]
    if len(intact_lines) < len(lines):
        log.warning("%s: %d of %d lines are damaged and left out", path, len(lines) - len(intact_lines), len(lines))
        write_atomic(path, b"".join(intact_lines))


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True
