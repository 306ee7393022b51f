"""What may a `_target_` name, and how is it built?

A target is looked up here as a string before anything is imported: importing is running. Our own rooms are open by
rule (a public file of the room, a class or function written in that file); a library is open by exact name only,
because a prefix such as `torch.` also covers `torch.hub.load`.
"""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from circuitvlm.runtime.spelling import suggestion

DOORS: dict[str, str] = {  # room -> the package whose public files are its doors
    "data": "circuitvlm.data",
    "task": "circuitvlm.task",
    "model": "circuitvlm.model",
    "adapter": "circuitvlm.adapter",
    "dropout": "circuitvlm.dropout",
    "collate": "circuitvlm.collate",
    "objective": "circuitvlm.objective",
    "schedule": "circuitvlm.schedule",
    "metric": "circuitvlm.metric",
    "optimizer": "circuitvlm.training.optimizer",
    "callback": "circuitvlm.training.callback",
}
_LOGGERS, _CALLBACKS, _STRATEGIES = (f"lightning.pytorch.{kind}" for kind in ("loggers", "callbacks", "strategies"))
LIBRARY: dict[str, frozenset[str]] = {  # room -> the library objects that are allowed in it, each by its exact name
    "optimizer": frozenset({"torch.optim.AdamW", "torch.optim.SGD", "torch.optim.Adam"}),
    "trainer": frozenset({"lightning.Trainer"}),
    "strategy": frozenset(
        {
            f"{_STRATEGIES}.DDPStrategy",
            f"{_STRATEGIES}.ModelParallelStrategy",
            *(f"circuitvlm.training.strategy.{name}" for name in ("Ddp", "Fsdp2", "DeepSpeed")),
        }
    ),
    "quantization": frozenset({"transformers.BitsAndBytesConfig"}),
    "logger": frozenset(f"{_LOGGERS}.{name}Logger" for name in ("TensorBoard", "CSV", "Wandb", "MLFlow")),
    "callback": frozenset(
        f"{_CALLBACKS}.{name}"
        for name in ("LearningRateMonitor", "EarlyStopping", "RichProgressBar", "TQDMProgressBar")
    ),
}
EXTRAS = {f"{_LOGGERS}.WandbLogger": "wandb", f"{_LOGGERS}.MLFlowLogger": "mlflow"}  # package, and extra of ours
ROOMS = tuple(dict.fromkeys((*DOORS, *LIBRARY)))
BELOW: dict[str, tuple[str, ...]] = {  # room -> the rooms whose parts may be nested in one of its own
    **{room: (room,) for room in DOORS},
    "task": ("task", "metric"),
    "trainer": ("strategy",),
}
TARGET, PARTIAL = "_target_", "_partial_"
_FILE = re.compile(r"[a-z][a-z0-9_]*")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


class TargetError(ValueError):
    """A `_target_` that is not on the allow-list, or a part that cannot be built as it is written."""


def forbidden(path: object, *rooms: str) -> str | None:
    """Why the path may not be a target in these rooms, or None; reads the string and the disk, imports no target."""
    assert set(rooms) <= set(ROOMS), f"no such room among {rooms}; there are {ROOMS}"
    if not isinstance(path, str):
        return f"a target is a dotted path in text, came {path!r}"
    if any(path in LIBRARY.get(room, ()) for room in rooms):
        return None
    for room in rooms:
        if room in DOORS and path.startswith(DOORS[room] + "."):
            return _forbidden_door(path, room)
    home = room_of(path)
    if home is not None:
        return f"{path!r} belongs to the room {home!r}, wanted here: {' or '.join(rooms) or 'nothing to build'}"
    return f"{path!r} is not on the allow-list.{suggestion(path, _known(rooms))}"


def _forbidden_door(path: str, room: str) -> str | None:
    """The rule of our own rooms: package.file.Name, both public, and the file lies in the room."""
    file, _, name = path.removeprefix(DOORS[room] + ".").partition(".")
    if not _FILE.fullmatch(file) or not _NAME.fullmatch(name):
        return f"{path!r} is not of the form {DOORS[room]}.<file>.<Name> with a public file and a public name"
    if file not in door_files(room):
        return f"{path!r}: the room {room!r} has no file {file!r}.{suggestion(file, door_files(room))}"
    exports = _exports(room).get(file)
    if exports is not None and name not in exports:
        return f"{path!r}: the package {file!r} does not export {name!r}.{suggestion(name, exports)}"
    return None


def door_files(room: str) -> tuple[str, ...]:
    """The names of the room's doors: its modules without an underscore, and its sub-packages that export a name."""
    folders = [Path(folder) for folder in importlib.import_module(DOORS[room]).__path__]
    modules = {file.stem for folder in folders for file in folder.glob("*.py") if _FILE.fullmatch(file.stem)}
    return tuple(sorted(modules | {name for name, exports in _exports(room).items() if exports}))


def _exports(room: str) -> dict[str, tuple[str, ...]]:
    """Sub-package -> the names in its `__all__`, read from the text of its `__init__.py`; nothing is imported."""
    folders = [Path(folder) for folder in importlib.import_module(DOORS[room]).__path__]
    inits = [init for folder in folders for init in folder.glob("*/__init__.py") if _FILE.fullmatch(init.parent.name)]
    return {init.parent.name: exported_names(init.read_text(encoding="utf-8")) for init in inits}


def exported_names(source: str) -> tuple[str, ...]:
    """The names that a module's source lists in `__all__ = [..]`; none where it has no such list of plain texts."""
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "__all__":
            return tuple(ast.literal_eval(statement.value))
    return ()


def _known(rooms: Iterable[str]) -> list[str]:
    return [name for room in rooms for name in LIBRARY.get(room, ())] + [
        f"{DOORS[room]}.{file}" for room in rooms if room in DOORS for file in door_files(room)
    ]


def room_of(path: str) -> str | None:
    """The room in which this path could be a target, or None where it could be one nowhere."""
    for room in ROOMS:
        if path in LIBRARY.get(room, ()):
            return room
        if room in DOORS and path.startswith(DOORS[room] + ".") and _forbidden_door(path, room) is None:
            return room
    return None


def resolve(path: object, *rooms: str) -> Callable[..., Any]:
    """The class or function that the path names; refused before any import if these rooms do not allow it."""
    reason = forbidden(path, *rooms)
    if reason is not None:
        raise TargetError(reason)
    assert isinstance(path, str), "forbidden() refuses what is not text"
    if path in EXTRAS and find_spec(EXTRAS[path]) is None:
        raise TargetError(f"{path!r} needs the package {EXTRAS[path]}: pip install 'circuitvlm[{EXTRAS[path]}]'")
    module_name, _, name = path.rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise TargetError(f"{path!r} cannot be imported: {error}") from error
    if path in {name for names in LIBRARY.values() for name in names}:
        return _member(vars(module).get(name, getattr(module, name, None)), path, ())
    own = {key for key, value in vars(module).items() if not key.startswith("_") and _written_in(value, module_name)}
    return _member(vars(module)[name] if name in own else None, path, own)


def _member(found: object, path: str, own: Iterable[str]) -> Callable[..., Any]:
    if found is None or not callable(found):
        name = path.rpartition(".")[2]
        raise TargetError(f"{path!r}: no class or function {name!r} is written in that file.{suggestion(name, own)}")
    return found


def _written_in(value: object, module_name: str) -> bool:
    """True for a class or function defined in that very module or package, not imported into it from elsewhere."""
    if not (inspect.isclass(value) or inspect.isfunction(value)):
        return False
    return value.__module__ == module_name or value.__module__.startswith(f"{module_name}.")


def instantiate(section: Mapping[str, Any], /, **extra: Any) -> Any:
    """Build what the section describes, its nested parts first; `extra` are further arguments of the outermost one.

    A section without `_target_` gives a dict of built things, as the keyed rooms (data, tasks, ...) want it;
    one that is null was taken out again (`callback.early_stopping=null`).
    """
    if TARGET in section:
        return _build(section, ROOMS, extra)
    if extra:
        raise TargetError(f"extra arguments {sorted(extra)} for a section without {TARGET}: {sorted(section)}")
    return {key: _plain_or_built(value, ROOMS) for key, value in section.items() if value is not None}


def _build(section: Mapping[str, Any], rooms: tuple[str, ...], extra: Mapping[str, Any]) -> Any:
    target = resolve(section[TARGET], *rooms)
    reasons = special_key_faults(section)
    twice = sorted(set(section) & set(extra))
    if twice:
        reasons.append(f"{', '.join(twice)}: given in the config and by the program too; leave it out of the config")
    if reasons:
        raise TargetError(f"{section[TARGET]}: " + "; ".join(reasons))
    below = BELOW.get(room_of(section[TARGET]) or "", ())
    arguments = {key: _plain_or_built(value, below) for key, value in section.items() if key not in (TARGET, PARTIAL)}
    if section.get(PARTIAL, False):
        return functools.partial(target, **arguments, **extra)
    return target(**arguments, **extra)


def _plain_or_built(value: Any, rooms: tuple[str, ...]) -> Any:
    if isinstance(value, Mapping):
        if TARGET in value:
            return _build(value, rooms, {})
        return {key: _plain_or_built(inner, rooms) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain_or_built(inner, rooms) for inner in value]
    return value


def special_key_faults(section: Mapping[str, Any]) -> list[str]:
    """Of Hydra's special keys only `_target_` and `_partial_: true|false` exist here."""
    faults = []
    for key, value in section.items():
        if key == PARTIAL and not isinstance(value, bool):
            faults.append(f"{PARTIAL}: wanted true or false, came {value!r}")
        elif isinstance(key, str) and re.fullmatch(r"_.*_", key) and key not in (TARGET, PARTIAL):
            faults.append(f"{key}: no such special key; there are {TARGET} and {PARTIAL}")
    return faults
