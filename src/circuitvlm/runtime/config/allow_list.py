"""Decide what a `_target_` may name, and build what a section with a `_target_` describes.

A target is looked up here as a string before anything is imported, since an import runs code. Parts of this project
are allowed by rule: a public class or function that a public module of the group's package defines. Objects of a
library are allowed by exact name only, because a prefix such as `torch.` also covers `torch.hub.load`.
"""

from __future__ import annotations

import ast
import functools
import importlib
import re
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any

from circuitvlm.runtime.config.source import Definition, exported_names, find_definition, package_folders, public_names
from circuitvlm.runtime.spelling import suggestion

PART_PACKAGES: dict[str, str] = {  # config group -> the package whose public modules define its parts
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
LIBRARY_TARGETS: dict[str, frozenset[str]] = {  # config group -> the library objects that it allows
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
EXTRAS = {f"{_LOGGERS}.WandbLogger": "wandb", f"{_LOGGERS}.MLFlowLogger": "mlflow"}
"""Target -> the package that it needs, which is also the name of the optional dependency of this project."""

GROUPS = tuple(dict.fromkeys((*PART_PACKAGES, *LIBRARY_TARGETS)))
NESTED_GROUPS: dict[str, tuple[str, ...]] = {  # group -> the groups whose parts may be nested in one of its parts
    **{group: (group,) for group in PART_PACKAGES},
    "task": ("task", "metric"),
    "trainer": ("strategy",),
}
TARGET, PARTIAL = "_target_", "_partial_"
_MODULE = re.compile(r"[a-z][a-z0-9_]*")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


class TargetError(ValueError):
    """A `_target_` that is not on the allow-list, or a part that cannot be built as it is written."""


def refusal(target: object, *groups: str) -> str | None:
    """Why parts of these groups may not have this target, or None; decided from text, without importing the target."""
    assert set(groups) <= set(GROUPS), f"expected groups of {GROUPS}, got {groups}"
    if not isinstance(target, str):
        return f"expected a dotted path in text, got {target!r}"
    if any(target in LIBRARY_TARGETS.get(group, ()) for group in groups):
        return None
    for group in groups:
        if target.startswith(f"{PART_PACKAGES.get(group)}."):
            return _part_refusal(target, group)
    actual_group = group_of(target)
    if actual_group is not None:
        return f"expected a part of the group {' or '.join(groups) or '(none)'}, got {target!r} of {actual_group!r}"
    targets = [name for group in groups for name in LIBRARY_TARGETS.get(group, ())]
    targets += [
        f"{PART_PACKAGES[group]}.{name}" for group in groups if group in PART_PACKAGES for name in part_modules(group)
    ]
    return f"{target!r} is not on the allow-list.{suggestion(target, targets)}"


def _part_refusal(target: str, group: str) -> str | None:
    """Check a target in the group's own package: package.module.Name, both public, and defined in that module."""
    package = PART_PACKAGES[group]
    module, _, name = target.removeprefix(f"{package}.").partition(".")
    if not _MODULE.fullmatch(module) or not _NAME.fullmatch(name):
        return f"expected {package}.<module>.<Name> with a public module and a public name, got {target!r}"
    if module not in part_modules(group):
        return f"{target!r}: {package} has no module {module!r}.{suggestion(module, part_modules(group))}"
    path = f"{package}.{module}"
    names = public_names(path)
    match find_definition(path, name):
        case Definition(module=owner, statement=ast.ClassDef() | ast.FunctionDef()) if name in names:
            if f"{owner}.".startswith(f"{path}."):
                return None
    similar_name = suggestion(name, [text for text in names if text != name])
    return f"{target!r}: {path} defines no public class or function {name!r}.{similar_name}"


def part_modules(group: str) -> tuple[str, ...]:
    """The names of the group's part modules: its modules without an underscore, and sub-packages with an `__all__`."""
    folders = package_folders(PART_PACKAGES[group])
    modules = [file.stem for folder in folders for file in folder.glob("*.py")]
    packages = [init.parent.name for folder in folders for init in folder.glob("*/__init__.py") if exported_names(init)]
    return tuple(sorted(name for name in {*modules, *packages} if _MODULE.fullmatch(name)))


def group_of(target: str) -> str | None:
    """The group in which this target is allowed, or None where no group allows it."""
    for group in GROUPS:
        if target in LIBRARY_TARGETS.get(group, ()):
            return group
        if target.startswith(f"{PART_PACKAGES.get(group)}.") and _part_refusal(target, group) is None:
            return group
    return None


def resolve(target: object, *groups: str) -> Callable[..., Any]:
    """The class or function that the target names; refused before any import if these groups do not allow it."""
    reason = refusal(target, *groups)
    if reason is not None:
        raise TargetError(reason)
    path = str(target)
    if path in EXTRAS and find_spec(EXTRAS[path]) is None:
        raise TargetError(f"{path!r} needs the package {EXTRAS[path]}: pip install 'circuitvlm[{EXTRAS[path]}]'")
    module_name, _, name = path.rpartition(".")
    try:
        part: object = getattr(importlib.import_module(module_name), name, None)
    except ImportError as error:
        raise TargetError(f"{path!r} cannot be imported: {error}") from error
    if not callable(part):
        raise TargetError(f"{path!r}: expected a class or function, got {part!r}")
    return part


def instantiate(section: Mapping[str, Any], /, **extra: Any) -> Any:
    """Build what the section describes, its nested parts first; `extra` are further arguments of the outermost one.

    A section without `_target_` gives a dict of its built entries, such as `data` and `tasks`, without those that are
    null (`callback.early_stopping=null` removes a part). Raises TargetError.
    """
    if TARGET in section:
        return _build(section, GROUPS, extra)
    if extra:
        raise TargetError(f"{sorted(section)}: expected {TARGET} beside the extra arguments {sorted(extra)}, got none")
    return {key: _build_value(value, GROUPS) for key, value in section.items() if value is not None}


def _build(section: Mapping[str, Any], groups: tuple[str, ...], extra: Mapping[str, Any]) -> Any:
    part = resolve(section[TARGET], *groups)
    reasons = special_key_faults(section)
    duplicates = sorted(set(section) & set(extra))
    if duplicates:
        reasons.append(f"{', '.join(duplicates)}: the program sets this itself; remove it from the config")
    if reasons:
        raise TargetError(f"{section[TARGET]}: " + "; ".join(reasons))
    inner = NESTED_GROUPS.get(group_of(section[TARGET]) or "", ())
    arguments = {key: _build_value(value, inner) for key, value in section.items() if key not in (TARGET, PARTIAL)}
    return functools.partial(part, **arguments, **extra) if section.get(PARTIAL) else part(**arguments, **extra)


def _build_value(value: Any, groups: tuple[str, ...]) -> Any:
    if isinstance(value, Mapping):
        if TARGET in value:
            return _build(value, groups, {})
        return {key: _build_value(inner, groups) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_build_value(inner, groups) for inner in value]
    return value


def special_key_faults(section: Mapping[str, Any]) -> list[str]:
    """What is wrong with the keys `_..._`: only `_target_` and `_partial_: true|false` of Hydra's are supported."""
    faults = []
    for key, value in section.items():
        if key == PARTIAL and not isinstance(value, bool):
            faults.append(f"{PARTIAL}: expected true or false, got {value!r}")
        elif isinstance(key, str) and re.fullmatch(r"_.*_", key) and key not in (TARGET, PARTIAL):
            faults.append(f"{key}: expected no special key but {TARGET} and {PARTIAL}, got {value!r}")
    return faults
