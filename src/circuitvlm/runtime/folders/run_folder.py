"""Name the folder of a run, and keep its state, its config and its overrides.

The folder's name depends only on the scientific settings, which decide the results. So the same run on another number
of GPUs has the same folder.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from omegaconf import OmegaConf

from circuitvlm.runtime.config import allow_list
from circuitvlm.runtime.folders.links import refuse_links, write_new
from circuitvlm.runtime.folders.lock import LOCK_FILE, lock_folder
from circuitvlm.runtime.folders.portable import portable_settings
from circuitvlm.runtime.folders.saved_file import FolderError, escape, read_json, read_yaml
from circuitvlm.runtime.folders.settings import ABSENT, Config, difference, is_infrastructure, to_dict, value_text
from circuitvlm.runtime.progress import rank
from circuitvlm.runtime.spelling import suggestion

State = Literal["new", "started", "finished"]
CONFIG_FILE, DIFFERENCE_FILE, OVERRIDES_FILE = "config.yaml", "difference.yaml", "overrides.json"
MARKER_FILE, FINISHED_FILE, FAILED_FILE = ".circuitvlm-run", "finished.json", "failed.txt"
_SLUG_LENGTH = 60
log = logging.getLogger(__name__)


def run_folder(cfg: Config, base: Config) -> Path:
    """`folder` where the config gives one, else runs/<name>/<what differs from the base>-<hash>."""
    plain = to_dict(cfg)
    if plain.get("folder"):
        return Path(plain["folder"])
    changes = difference(plain, base)
    text = json.dumps({key: value_text(changes, key) for key in changes}, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    slug = _slug(difference(portable_settings(cfg), portable_settings(base)))
    return Path(str(plain["runs"]), str(plain["name"]), f"{slug}-{digest}")


def _slug(changes: Mapping[str, Any]) -> str:
    """A readable form of the difference; the hash after it distinguishes two runs."""
    words = []
    for key, value in changes.items():
        *sections, name = key.split(".")
        text = str(value)
        if name == allow_list.TARGET and sections:
            name, text = sections[-1], text.rpartition(".")[2]
        if value != ABSENT:
            words.append(re.sub(r"[^A-Za-z0-9.+=]+", "_", f"{name}={text}").strip("_."))
    return "-".join(words)[:_SLUG_LENGTH].rstrip("-_.") or "plain"


def read_state(folder: Path) -> State:
    """The state of the run in this folder: new, started or finished."""
    if (folder / FINISHED_FILE).is_file():
        return "finished"
    return "started" if (folder / CONFIG_FILE).is_file() else "new"


def prepare(folder: Path, cfg: Config, *, base: Config, overwrite: bool) -> State:
    """Create the folder with the run's config, and return its state from before; only rank 0 writes.

    Raises FolderError for a folder of a run with other scientific settings, and for one that is no run's folder.
    """
    if rank() != 0:
        return "new" if overwrite else read_state(folder)
    if overwrite:
        _remove(folder)
    state = read_state(folder)
    if state != "new":
        check_same_settings(folder, cfg)
        return state
    _check_run_or_empty(folder)
    folder.resolve().mkdir(parents=True, exist_ok=True)  # resolved: a link may point to a folder that was deleted
    write_atomic(folder / MARKER_FILE, "This folder belongs to a run of circuitvlm; overwrite=true may delete it.\n")
    settings = portable_settings(cfg)
    write_atomic(folder / DIFFERENCE_FILE, as_yaml(difference(settings, portable_settings(base))))
    write_atomic(folder / CONFIG_FILE, as_yaml(settings))  # last, since this file makes the state "started"
    return state


@contextmanager
def open_run(folder: Path, cfg: Config, *, base: Config, overwrite: bool) -> Iterator[State]:
    """Call `prepare`, and lock the folder for rank 0 until the block ends; the folder of a finished run stays unlocked.

    Raises FolderLockedError where another process writes into it.
    """
    if rank() != 0 or (read_state(folder) == "finished" and not overwrite):
        yield prepare(folder, cfg, base=base, overwrite=overwrite)
        return
    if overwrite:
        _remove(folder)
    _check_run_or_empty(folder)  # no lock file is written into a folder that is no run's
    refuse_links(folder)
    with lock_folder(folder):
        yield prepare(folder, cfg, base=base, overwrite=False)


def finish(folder: Path, summary: Mapping[str, Any]) -> None:
    """Mark the run as finished, with a summary of its results."""
    write_atomic(folder / FINISHED_FILE, json.dumps(summary, indent=2, sort_keys=True, default=str) + "\n")


def read_config(folder: Path) -> dict[str, Any]:
    """The settings that a run was started with, as `portable_settings` gives them. Raises FolderError without them."""
    path = folder / CONFIG_FILE
    if not path.is_file():
        advice = suggestion(folder.name, (path.name for path in folder.parent.glob("*") if path.is_dir()))
        raise FolderError(f"expected the folder of a run, got {folder}, which has no {CONFIG_FILE}.{advice}")
    return read_yaml(path)


def read_difference(folder: Path) -> dict[str, Any]:
    """Dotted key -> value of each scientific setting of a run that differs from its experiment's."""
    return read_yaml(folder / DIFFERENCE_FILE)


def read_overrides(folder: Path) -> list[str]:
    """The command-line overrides of a run that change its results; empty where none are stored."""
    path = folder / OVERRIDES_FILE
    overrides = map(str, read_json(path, list) if path.is_file() else ())
    return [word for word in overrides if not is_infrastructure(word.lstrip("+~").partition("=")[0])]


def write_overrides(folder: Path, overrides: Sequence[str]) -> None:
    """Store the command-line overrides of a run in its folder."""
    write_atomic(folder / OVERRIDES_FILE, json.dumps(list(overrides), indent=1) + "\n")


def check_same_settings(folder: Path, cfg: Config) -> None:
    """Raise FolderError where the run in the folder has other scientific settings."""
    changes = difference(portable_settings(cfg), read_config(folder))
    if changes:
        lines = "\n".join(f"  {key}: got {value!r}" for key, value in changes.items())
        raise FolderError(
            f"{folder}: expected the settings of the run in this folder, got others (was its experiment edited?):\n"
            f"{lines}\nReplace the old run with overwrite=true, or set another folder=... or name=... for this one"
        )


def _check_run_or_empty(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise FolderError(f"expected a folder for the run, got the file {folder}; set another folder")
    if folder.is_dir() and {path.name for path in folder.iterdir()} - {LOCK_FILE} and not _is_run(folder):
        raise FolderError(
            f"expected an empty folder or the folder of a run, got {folder}, which has files but no {MARKER_FILE}; "
            "set another folder"
        )


def _is_run(folder: Path) -> bool:
    return (folder / MARKER_FILE).is_file()


def _remove(folder: Path) -> None:
    """Delete the folder of a run; it is renamed first, so that a kill during the deletion leaves no partial run.

    Where the folder is a link to another disk, its target is emptied and the link stays.
    """
    _check_run_or_empty(folder)
    if not _is_run(folder):
        return
    is_link = folder.is_symlink()
    folder = folder.resolve()
    deleted_folder = folder.with_name(f".{folder.name}.deleting-{os.getpid()}")
    with lock_folder(folder):
        try:
            os.rename(folder, deleted_folder)
        except OSError as error:
            raise FolderError(f"overwrite=true: expected to rename {folder}, got {error}; empty it by hand") from error
    if is_link:
        folder.mkdir(exist_ok=True)
    shutil.rmtree(deleted_folder)
    log.info("overwrite=true: deleted the old run in %s", folder)


def write_atomic(path: Path, content: str | bytes) -> None:
    """Write the whole file or nothing: a kill at any moment leaves the old file or the new one.

    A link of this name is replaced, and its target stays as it is.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write_new(temporary, content.encode() if isinstance(content, str) else content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    handle = os.open(path.parent, os.O_RDONLY)  # the renaming itself must reach the disk too
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def as_yaml(settings: Mapping[str, Any]) -> str:
    """The text of plain settings, which `read_yaml` reads back."""
    return OmegaConf.to_yaml(OmegaConf.create(escape(settings)))
