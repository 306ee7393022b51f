"""Store checkpoints in a run's folder, and find damaged ones.

Each checkpoint is a folder, `checkpoints/step-<n>`. It holds `state.ckpt` as the strategy wrote it (a file, or a folder
with a part for each rank), and `manifest.json` with the size and SHA-256 of every file. A checkpoint is written under
another name, and renamed when all of it has reached the disk.
"""

from __future__ import annotations

import json
import logging
import os
import pickle
import re
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import torch

from circuitvlm.runtime.folders.identity import file_digest

FOLDER, TEMPORARY = "checkpoints", ".writing"
STATE, MANIFEST = "state.ckpt", "manifest.json"
REPLACED_SUFFIX = ".before"
"""What is appended to the name of a checkpoint while another of the same step replaces it."""

_NAME = re.compile(rf"step-(\d+)({re.escape(REPLACED_SUFFIX)})?")
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, order=True)
class SavedCheckpoint:
    """A checkpoint by its optimizer step."""

    step: int
    path: Path

    @property
    def state_path(self) -> Path:
        """What the strategy wrote, and reads."""
        return self.path / STATE


def list_checkpoints(run: Path) -> list[SavedCheckpoint]:
    """Every checkpoint of the run, intact or not, the newest first; of one step, a replaced one comes last."""
    matches = ((_NAME.fullmatch(path.name), path) for path in (run / FOLDER).glob("step-*"))
    checkpoints = [SavedCheckpoint(int(match[1]), path) for match, path in matches if match]
    return sorted(checkpoints, key=lambda checkpoint: (-checkpoint.step, checkpoint.path))


def newest_intact(run: Path) -> SavedCheckpoint | None:
    """The newest checkpoint without damage; a warning names each damaged one."""
    for checkpoint in list_checkpoints(run):
        if (damage := find_damage(checkpoint)) is None:
            return checkpoint
        log.warning("checkpoint %s is damaged (%s); the next older one is used", checkpoint.path, damage)
    return None


def find_damage(checkpoint: SavedCheckpoint) -> str | None:
    """What is wrong with a checkpoint, or None.

    Damage is a file that is not as it was written, or a pickle with more than tensors and primitives.
    """
    try:
        manifest = dict(json.loads((checkpoint.path / MANIFEST).read_text(encoding="utf-8")))
        measures = _measure_files(checkpoint.path)
    except (OSError, TypeError, ValueError) as error:
        return f"its {MANIFEST} cannot be read: {error}"
    if changed_files := sorted(name for name in manifest.keys() | measures if manifest.get(name) != measures.get(name)):
        return f"{changed_files[0]} is missing, or is not what was written"
    if checkpoint.state_path.is_dir():
        return None  # parts of ranks, which only their strategy reads
    try:
        torch.load(checkpoint.state_path, map_location="meta", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, OSError) as error:
        return f"it cannot be read: {str(error).partition(chr(10))[0]}"
    return None


def prepare_state_path(run: Path) -> Path:
    """Where to write the next state, in an empty folder: files of a killed run are removed."""
    folder = run / FOLDER / TEMPORARY
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder / STATE


def commit(run: Path, *, step: int) -> None:
    """Make the state that was written the checkpoint of this step: write the manifest, sync, rename."""
    folder = run / FOLDER / TEMPORARY
    (folder / MANIFEST).write_text(json.dumps(_measure_files(folder), indent=1), encoding="utf-8")
    for path in (*folder.rglob("*"), folder):
        _sync(path)
    replace_folder(folder, run / FOLDER / f"step-{step:08d}")


def replace_folder(new: Path, path: Path) -> None:
    """Move a folder to a path. A kill leaves the old folder there, or next to it with the suffix `.before`."""
    replaced_path = path.with_name(path.name + REPLACED_SUFFIX)
    if path.exists():
        shutil.rmtree(replaced_path, ignore_errors=True)
        os.rename(path, replaced_path)
    os.rename(new, path)
    _sync(path.parent)
    shutil.rmtree(replaced_path, ignore_errors=True)


def prune(run: Path, *, step: int, keep: int, extra_steps: Collection[int]) -> None:
    """Delete all checkpoints but the newest `keep` up to `step`, the one just written, and those of `extra_steps`.

    One of a later step is damaged: the run has resumed from an older one.
    """
    checkpoints = list_checkpoints(run)
    steps = sorted({checkpoint.step for checkpoint in checkpoints if checkpoint.step <= step}, reverse=True)
    for checkpoint in checkpoints:
        if checkpoint.step not in (*steps[:keep], *extra_steps):
            shutil.rmtree(checkpoint.path, ignore_errors=True)


def _measure_files(folder: Path) -> dict[str, list[int | str]]:
    """Relative path -> size and SHA-256 of each file but the manifest."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file() and path != folder / MANIFEST)
    return {path.relative_to(folder).as_posix(): measure(path) for path in paths}


def measure(path: Path) -> list[int | str]:
    """A file's size in bytes, and its SHA-256."""
    return [path.stat().st_size, file_digest(path)]


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
