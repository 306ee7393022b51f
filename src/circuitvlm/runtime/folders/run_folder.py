"""Where does a run lie, and how far has it come?

Its name is told from its science alone: the same question on another number of GPUs is the same folder.
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

from omegaconf import DictConfig, OmegaConf

from circuitvlm.runtime.config import allow_list
from circuitvlm.runtime.folders.lock import LOCK, held
from circuitvlm.runtime.progress import rank
from circuitvlm.runtime.spelling import suggestion

State = Literal["new", "started", "finished"]
CONFIG, DIFFERENCE, FINISHED, MARKER = "config.yaml", "difference.yaml", "finished.json", ".circuitvlm-run"
OVERRIDES, FAILED = "overrides.json", "failed.txt"
ABSENT = "<absent>"
INFRASTRUCTURE = (
    "folder",
    "runs",
    "fresh",
    "workers",
    "micro_batch",
    "predict_batch",
    "bad_images",  # a bound: it moves no number of a run that keeps it
    "log_every",
    "checkpoint_every",
    "checkpoint_keep",
    "checkpoint_best",
    "logger",
    "hydra",
)
ANYWHERE = ("workers", "cache")  # of any part: how fast it works and where it keeps its files, never what it gives
BESIDE = ("name", "controls")  # the name is a folder of its own; a control is another run's science
CUT = "circuitvlm.objective.micro_batch.MicroBatch"
"""The objective whose loss depends on how a step is cut: beside it `micro_batch` is science."""
# The trainer decides where a run is computed, but these of its arguments decide what
TRAINER_SCIENCE = re.compile(
    r"trainer\.(fast_dev_run|overfit_batches|limit_\w+|min_\w+|max_\w+|gradient_clip_algorithm)"
)
SHOWING = frozenset(
    f"lightning.pytorch.callbacks.{n}" for n in ("LearningRateMonitor", "RichProgressBar", "TQDMProgressBar")
)
_SLUG_LENGTH = 60
log = logging.getLogger(__name__)


class FolderError(ValueError):
    """A folder that must not be written into, with the reason."""


def difference(cfg: Mapping[str, Any] | DictConfig, base: Mapping[str, Any] | DictConfig) -> dict[str, Any]:
    """Dotted leaf -> value, where the science of the two configs differs; a leaf that is gone has the value ABSENT."""
    here, there = science(cfg), science(base)
    changed = [key for key in sorted(here.keys() | there.keys()) if _text(here, key) != _text(there, key)]
    return {key: here.get(key, ABSENT) for key in changed}


def science(cfg: Mapping[str, Any] | DictConfig) -> dict[str, Any]:
    """Dotted leaf -> value of all that decides a run's numbers."""
    plain = _containers(cfg)
    showing = {f"callback.{name}" for name, part in (plain.get("callback") or {}).items() if _only_shows(part)}
    leaves = dict(_leaves(plain))
    cut = {"micro_batch"} if leaves.get(f"objective.{allow_list.TARGET}") == CUT else set()
    return {key: value for key, value in leaves.items() if key in cut or not _is_infrastructure(key, showing)}


def _only_shows(part: Any) -> bool:
    """True for a callback that cannot move a number; our own say so by `infrastructure = True` on the class."""
    if part is None:
        return True
    if not isinstance(part, Mapping) or part.get(allow_list.TARGET) in SHOWING:
        return isinstance(part, Mapping)
    return bool(getattr(allow_list.resolve(part.get(allow_list.TARGET), "callback"), "infrastructure", False))


def _is_infrastructure(key: str, showing: set[str]) -> bool:
    if key.startswith("trainer."):
        return not TRAINER_SCIENCE.fullmatch(key)
    if key.rpartition(".")[2] in ANYWHERE:
        return True
    top, _, rest = key.partition(".")
    return (
        top in (*INFRASTRUCTURE, *BESIDE)
        or f"{top}.{rest.partition('.')[0]}" in showing
        or key in ("trainer", "callback")
    )


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _leaves(inner, f"{key}.{name}" if key else str(name))
    else:
        yield key, value


def _text(leaves: Mapping[str, Any], key: str) -> str:
    return json.dumps(_same_number(leaves[key]), sort_keys=True, default=str) if key in leaves else ABSENT


def _same_number(value: Any) -> Any:
    """1 and 1.0 are one value, 1 and true are two."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, (list, tuple)):
        return [_same_number(inner) for inner in value]
    return value


def run_folder(cfg: Mapping[str, Any] | DictConfig, base: Mapping[str, Any] | DictConfig) -> Path:
    """`folder` where the config gives one, else runs/<name>/<what differs>-<hash>."""
    plain = _containers(cfg)
    if plain.get("folder"):
        return Path(plain["folder"])
    changed = difference(plain, base)
    text = json.dumps({key: _text(changed, key) for key in changed}, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return Path(str(plain["runs"]), str(plain["name"]), f"{_slug(changed)}-{digest}")


def _slug(changed: Mapping[str, Any]) -> str:
    """What a person reads of the difference; the hash after it is what tells two runs apart."""
    words = []
    for key, value in changed.items():
        if value == ABSENT:
            continue
        *rooms, last = key.split(".")
        name, shown = (
            (rooms[-1], str(value).rpartition(".")[2]) if last == allow_list.TARGET and rooms else (last, str(value))
        )
        words.append(re.sub(r"[^A-Za-z0-9.+=]+", "_", f"{name}={shown}").strip("_."))
    slug = "-".join(words)
    while len(slug) > _SLUG_LENGTH and len(words) > 1:
        words.pop()
        slug = "-".join([*words, "more"])
    return slug[:_SLUG_LENGTH].rstrip("-_.") or "plain"


def state(folder: Path) -> State:
    """How far the run in this folder has come."""
    if (folder / FINISHED).is_file():
        return "finished"
    return "started" if (folder / CONFIG).is_file() else "new"


def start(
    folder: Path, cfg: Mapping[str, Any] | DictConfig, *, base: Mapping[str, Any] | DictConfig, fresh: bool
) -> State:
    """Make the folder ready and return the state it was found in; rank 0 writes, the others only look.

    Raises FolderError rather than mix two runs: a folder of other science, or one that is not a run's at all.
    """
    if rank() != 0:
        return "new" if fresh else state(folder)
    if fresh:
        _remove(folder)
    found = state(folder)
    if found != "new":
        refuse_other_science(folder, cfg)
        return found
    _ours_or_empty(folder)
    folder.resolve().mkdir(parents=True, exist_ok=True)  # resolved: a link may point to a folder that is gone
    write_atomic(folder / MARKER, "This folder belongs to a run of circuitvlm; fresh=true may delete it.\n")
    write_atomic(folder / DIFFERENCE, as_yaml(difference(cfg, base)))
    write_atomic(folder / CONFIG, as_yaml(_containers(cfg)))  # last: it is what makes the run a started one
    return found


@contextmanager
def begun(
    folder: Path, cfg: Mapping[str, Any] | DictConfig, *, base: Mapping[str, Any] | DictConfig, fresh: bool
) -> Iterator[State]:
    """`start`, and rank 0 holds the folder until the block ends; a finished run is only looked at.

    Raises HeldError where another process is at work in it.
    """
    if rank() != 0 or (state(folder) == "finished" and not fresh):
        yield start(folder, cfg, base=base, fresh=fresh)
        return
    if fresh:
        _remove(folder)
    _ours_or_empty(folder)  # nobody else's folder gets a lock file
    with held(folder):
        yield start(folder, cfg, base=base, fresh=False)


def finish(folder: Path, summary: Mapping[str, Any]) -> None:
    """Say that the run is done, with what came of it."""
    write_atomic(folder / FINISHED, json.dumps(summary, indent=2, sort_keys=True, default=str) + "\n")


def read_config(folder: Path) -> DictConfig:
    """The resolved config that a run was started with."""
    path = folder / CONFIG
    if not path.is_file():
        near = suggestion(folder.name, (other.name for other in folder.parent.glob("*") if other.is_dir()))
        raise FolderError(f"{folder} is not the folder of a run: it has no {CONFIG}.{near}")
    loaded = OmegaConf.load(path)
    assert isinstance(loaded, DictConfig), f"{path} holds {type(loaded)}"
    return loaded


def read_difference(folder: Path) -> dict[str, Any]:
    """Dotted leaf -> value, where the science of a run differs from its experiment's."""
    loaded = OmegaConf.to_container(OmegaConf.load(folder / DIFFERENCE), resolve=True)
    assert isinstance(loaded, dict), "a difference is a mapping"
    return {str(key): value for key, value in loaded.items()}


def read_overrides(folder: Path) -> list[str]:
    """What was said on the command line that started a run, without what decides no number; empty if not noted."""
    words = json.loads((folder / OVERRIDES).read_text(encoding="utf-8")) if (folder / OVERRIDES).is_file() else []
    return [word for word in words if not _is_infrastructure(word.lstrip("+~").partition("=")[0], set())]


def note_overrides(folder: Path, overrides: Sequence[str]) -> None:
    """Keep what was said on the command line beside the run's config."""
    write_atomic(folder / OVERRIDES, json.dumps(list(overrides), indent=1) + "\n")


def refuse_other_science(folder: Path, cfg: Mapping[str, Any] | DictConfig) -> None:
    """Raises FolderError where the folder's run was of other science."""
    changed = difference(cfg, read_config(folder))
    if changed:
        lines = "\n".join(f"  {key}: now {value!r}" for key, value in changed.items())
        raise FolderError(
            f"{folder} holds a run of other science (its experiment was edited since?):\n{lines}\n"
            "Begin it again with fresh=true, or give this run another folder=... or name=..."
        )


def _ours_or_empty(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise FolderError(f"{folder} is a file; wanted a folder for the run")
    if folder.is_dir() and {path.name for path in folder.iterdir()} - {LOCK} and not (folder / MARKER).is_file():
        raise FolderError(f"{folder} is not empty and not the folder of a run (no {MARKER} in it): left alone")


def _remove(folder: Path) -> None:
    """Delete the folder if it is a run's; renamed first, so that a kill half-way leaves no half run in its place.

    Where the folder is a link to another disk, what it points to is emptied and the link stays.
    """
    _ours_or_empty(folder)
    if not (folder / MARKER).is_file():
        return
    linked = folder.is_symlink()
    folder = folder.resolve()
    doomed = folder.with_name(f".{folder.name}.deleting-{os.getpid()}")
    with held(folder):
        try:
            os.rename(folder, doomed)
        except OSError as error:
            raise FolderError(f"fresh=true: {folder} cannot be moved away ({error}); empty it by hand") from error
    if linked:
        folder.mkdir(exist_ok=True)
    shutil.rmtree(doomed)
    log.info("fresh=true: deleted the old run in %s", folder)


def write_atomic(path: Path, text: str) -> None:
    """Write the whole file or nothing: a kill at any moment leaves the old file or the new one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    handle = os.open(path.parent, os.O_RDONLY)  # the rename itself must reach the disk too
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _containers(cfg: Mapping[str, Any] | DictConfig) -> dict[str, Any]:
    if not isinstance(cfg, DictConfig):  # plain containers are resolved already: what looks like ${...} is text
        return {str(key): value for key, value in cfg.items()}
    plain = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    assert isinstance(plain, dict), f"a config is a mapping, came {type(plain)}"
    return {str(key): value for key, value in plain.items()}


def as_yaml(plain: Mapping[str, Any] | DictConfig) -> str:
    """The text of a resolved config, which reads back as the same."""
    resolved = _containers(plain) if isinstance(plain, DictConfig) else dict(plain)
    return OmegaConf.to_yaml(OmegaConf.create(_escaped(resolved)))


def _escaped(value: Any) -> Any:
    """Resolved text may hold a `${` of its own (LaTeX in a prompt); read back, it must not be taken for a reference."""
    if isinstance(value, Mapping):
        return {key: _escaped(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_escaped(inner) for inner in value]
    return value.replace("${", "\\${") if isinstance(value, str) else value
