"""Which checkpoints lie in a run's folder, and which of them are whole?

Each is a folder of its own, `checkpoints/step-<n>`: what the strategy wrote as `state.ckpt` (a file, or a folder with a
part of each rank), and `manifest.json`, the size and SHA-256 of every file of it. It is written aside and renamed when
all of it has reached the disk.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import pickle
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from circuitvlm.runtime.folders.run_folder import FolderError

FOLDER, WRITING = "checkpoints", ".writing"
STATE, MANIFEST = "state.ckpt", "manifest.json"
BEFORE = ".before"
"""What is appended to the name of a checkpoint while another of the same step takes its place."""

OLDER = "last.ckpt"
"""The one checkpoint of a run that was begun before there were folders of them."""

_NAME = re.compile(rf"step-(\d+)({re.escape(BEFORE)})?")
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, order=True)
class Saved:
    """A checkpoint by its optimizer step."""

    step: int
    path: Path

    @property
    def state(self) -> Path:
        """What the strategy wrote, and reads."""
        return self.path / STATE


def all_saved(run: Path) -> list[Saved]:
    """Every checkpoint of the run, the newest first, whole or not."""
    found = ((_NAME.fullmatch(path.name), path) for path in (run / FOLDER).glob("step-*"))
    pairs = [(Saved(int(match[1]), path), bool(match[2])) for match, path in found if match]
    return [one for one, _ in sorted(pairs, key=lambda pair: (-pair[0].step, pair[1]))]


def newest(run: Path) -> Saved | None:
    """The newest checkpoint that is whole. A damaged one is named, and the one before it is taken.

    Raises FolderError where there is one alone that an older version wrote: the run must not begin again unasked.
    """
    for one in all_saved(run):
        if (why := damage(one)) is None:
            return one
        log.warning("the checkpoint %s is damaged (%s); the one before it is taken", one.path, why)
    if (run / OLDER).is_file():
        raise FolderError(
            f"{run / OLDER} is the checkpoint of an older version, which this one cannot read. Let that one end the "
            "run, or begin it again with fresh=true"
        )
    return None


def damage(one: Saved) -> str | None:
    """What is wrong with a checkpoint: files that are not what was written, or a pickle that holds more than tensors
    and primitives. None where nothing is.
    """
    try:
        written = dict(json.loads((one.path / MANIFEST).read_text(encoding="utf-8")))
        found = {name: _measure(path) for name, path in _files(one.path)}
    except (OSError, TypeError, ValueError) as error:
        return f"its {MANIFEST} cannot be read: {error}"
    if odd := sorted(name for name in written.keys() | found.keys() if written.get(name) != found.get(name)):
        return f"{odd[0]} is missing, or is not what was written"
    if one.state.is_dir():
        return None  # parts of ranks, which only their strategy reads
    try:
        torch.load(one.state, map_location="meta", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, OSError) as error:
        return f"it cannot be read: {str(error).partition(chr(10))[0]}"
    return None


def begin(run: Path) -> Path:
    """An empty place to write the next state into; what a killed run left there is gone."""
    writing = run / FOLDER / WRITING
    shutil.rmtree(writing, ignore_errors=True)
    writing.mkdir(parents=True)
    return writing / STATE


def seal(run: Path, *, step: int) -> Saved:
    """Make what lies in the place of writing the checkpoint of this step: manifest, disk, then the rename."""
    home = run / FOLDER
    writing = home / WRITING
    manifest = {name: _measure(path) for name, path in _files(writing)}
    (writing / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    for path in (*writing.rglob("*"), writing):
        _sync(path)
    made = Saved(step, home / f"step-{step:08d}")
    swap(writing, made.path)
    return made


def swap(new: Path, place: Path) -> None:
    """Put a folder in the place of another: a kill leaves the old one, if only beside its place as `.before`."""
    aside = place.with_name(place.name + BEFORE)
    if place.exists():
        shutil.rmtree(aside, ignore_errors=True)
        os.rename(place, aside)
    os.rename(new, place)
    _sync(place.parent)
    shutil.rmtree(aside, ignore_errors=True)


def prune(run: Path, *, step: int, keep: int, also: Iterable[int]) -> None:
    """Delete all checkpoints but the newest `keep` up to `step`, the one just written, and those of the steps `also`.

    One of a later step is a damaged one, which the run has gone back behind.
    """
    steps = sorted({one.step for one in all_saved(run) if one.step <= step}, reverse=True)
    kept = {*steps[:keep], *also}
    for one in all_saved(run):
        if one.step not in kept:
            shutil.rmtree(one.path, ignore_errors=True)


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path != folder / MANIFEST:
            yield path.relative_to(folder).as_posix(), path


def _measure(path: Path) -> list[int | str]:
    with path.open("rb") as file:
        return [path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()]


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
