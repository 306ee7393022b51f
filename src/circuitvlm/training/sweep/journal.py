"""Where is a study written down, so that a kill at any moment loses nothing of it? A file of lines, one for each event.

Optuna's journal (optuna.storages.journal), whose own locks outlive their process for half a minute; this one ends with
it.
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
from optuna.trial import Trial

JOURNAL, NAME = "journal.log", "sweep"
log = logging.getLogger(__name__)

if sys.platform == "win32":

    def _lock(path: Path) -> JournalFileOpenLock:
        return JournalFileOpenLock(str(path))

else:
    import fcntl

    class _Flock(JournalFileOpenLock):
        """The kernel's lock on a file beside the journal."""

        def __init__(self, path: Path) -> None:
            super().__init__(str(path))
            self.path = path.with_name(f".{path.name}.lock")
            self.descriptor: int | None = None

        def acquire(self) -> bool:
            self.descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
            fcntl.flock(self.descriptor, fcntl.LOCK_EX)
            return True

        def release(self) -> None:
            assert self.descriptor is not None, "acquire() comes first"
            os.close(self.descriptor)
            self.descriptor = None

    def _lock(path: Path) -> JournalFileOpenLock:
        return _Flock(path)


def study_in(folder: Path, *, direction: str | None = None, pruner: BasePruner | None = None) -> optuna.Study:
    """The study whose journal lies in a folder; with a `direction`, one that is not there yet is begun.

    Raises FileNotFoundError where there is none and none is to be begun.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path = folder / JOURNAL
    if direction is None and not path.is_file():
        raise FileNotFoundError(f"{path}: no journal of a study")
    storage = JournalStorage(JournalFileBackend(str(path), lock_obj=_lock(path)))
    if direction is None:
        return optuna.load_study(study_name=NAME, storage=storage, pruner=pruner)
    way = optuna.study.StudyDirection[direction.upper()]
    return optuna.create_study(study_name=NAME, storage=storage, direction=way, load_if_exists=True)


def trial_of(study: optuna.Study, number: int) -> Trial:
    """A trial that runs, by its number, wherever it was begun."""
    storage = study._storage
    return Trial(study, storage.get_trial_id_from_study_id_trial_number(study._study_id, number))


def pruner_of(*, prune_after: int | None, prune_from: int) -> BasePruner:
    """Stops a trial that is worse than the median of those before it at the same step; none without `prune_after`."""
    if prune_after is None:
        return NopPruner()
    return MedianPruner(n_startup_trials=prune_after, n_warmup_steps=prune_from)


def mend(folder: Path) -> None:
    """Take lines out of a journal that a full disk or a power cut has left half-written: they make it unreadable.

    Only for who holds the folder. What they said is lost: at worst a trial is run again.
    """
    path = folder / JOURNAL
    lines = path.read_bytes().splitlines(keepends=True) if path.is_file() else []
    whole = [line for line in lines if line.endswith(b"\n") and _readable(line)]
    if len(whole) < len(lines):
        log.warning("%s: %d of %d lines are damaged and left out", path, len(lines) - len(whole), len(lines))
        temporary = path.with_name(f".{path.name}.tmp")
        temporary.write_bytes(b"".join(whole))
        os.replace(temporary, path)


def _readable(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True
