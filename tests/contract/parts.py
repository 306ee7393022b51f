"""Find the parts that conf/ describes, build them, and check their promises.

The YAML files on disk decide which parts there are; no list has to be kept.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from circuitvlm.runtime.config.allow_list import TARGET, instantiate
from circuitvlm.runtime.config.compose import compose

ROOT = Path(__file__).parents[2]
CONF, FIXTURES = ROOT / "conf", ROOT / "tests" / "fixtures"
COUNT = 12
"""Items of a split in these tests."""


def names(group: str) -> list[str]:
    """The options of a config group: its YAML files on disk."""
    folder = CONF / group
    return sorted(path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.yaml"))


@cache
def config(*overrides: str) -> dict[str, Any]:
    """The resolved config of a run with these overrides and without the default experiment."""
    plain = OmegaConf.to_container(compose(["~experiment", *overrides], config_dir=CONF), resolve=True)
    assert isinstance(plain, dict), f"expected a mapping, got {type(plain)}"
    return {str(key): value for key, value in plain.items()}


def sections(group: str, name: str) -> dict[str, dict[str, Any]]:
    """The resolved sections of a YAML file: by key in the groups data and task, else under the file's own name."""
    if group == "metric":
        task = next(iter(config()["tasks"]))
        tasks = config(f"+metric@tasks.{task}.metrics.probe={name}")["tasks"]
        return {name: copy.deepcopy(tasks[task]["metrics"]["probe"])}
    settings = config(f"{group}={name}")
    key = {"data": "data", "task": "tasks"}.get(group)
    return copy.deepcopy(settings[key] if key else {name: settings[group]})


def section(group: str, name: str) -> dict[str, Any]:
    """The one resolved section of a YAML file."""
    return next(iter(sections(group, name).values()))


def build(group: str, name: str, *, cache: Path | None = None, **changes: Any) -> Any:
    """The part that a YAML file describes, with some arguments changed and its cache in a folder of the test."""
    settings = section(group, name) | changes
    return instantiate(settings if cache is None else shrink(settings, cache))


def shrink(settings: Mapping[str, Any], cache: Path) -> dict[str, Any]:
    """A section with few items, no processes, its own cache, and as `root` the fixtures of a data set of that name."""
    result: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            value = shrink(value, cache)
        elif key == "count" and isinstance(value, int):
            value = min(value, COUNT)
        elif key == "cache":
            value = str(cache)
        elif key == "num_workers":
            value = 0
        elif key == "root" and (FIXTURES / file_of(settings)).is_dir():
            value = str(FIXTURES / file_of(settings))
        result[key] = value
    return result


def file_of(settings: Mapping[str, Any]) -> str:
    """The module that a section builds from: `lora` for circuitvlm.adapter.lora.Lora."""
    return str(settings[TARGET]).split(".")[-2]


def targets(path: Path) -> list[str]:
    """The targets in a YAML file: its own, those of its named parts, or those of the file that it extends."""
    node = OmegaConf.load(path)
    assert isinstance(node, DictConfig), f"{path}: expected a mapping, got {type(node)}"
    plain = OmegaConf.to_container(node, resolve=False)
    assert isinstance(plain, dict)
    if TARGET in plain:
        return [str(plain[TARGET])]
    part_targets = [str(part[TARGET]) for part in plain.values() if isinstance(part, dict) and TARGET in part]
    parents = [name for name in plain.get("defaults", []) if isinstance(name, str) and name != "_self_"]
    return part_targets or [target for name in parents for target in targets(path.parent / f"{name}.yaml")]


def families(group: str) -> list[str]:
    """One YAML file for each class of a group, which is enough where the files differ in size only.

    The files alone are read: the tests are collected by this list, and composing each file would take too long.
    """
    names_by_target: dict[str, str] = {}
    for name in names(group):
        (target,) = targets(CONF / group / f"{name}.yaml")
        names_by_target.setdefault(target, name)
    return list(names_by_target.values())


# ------------------------------------------------------------------------------------------------------------ promises


Promise = Callable[..., None]


def each_promise(module: Mapping[str, Any]) -> Any:
    """A decorator that runs a test once for each `promise_...` of its module."""
    promises = list(promises_of(module))
    return pytest.mark.parametrize("promise", promises, ids=[name_of(promise) for promise in promises])


def promises_of(module: Mapping[str, Any]) -> Iterator[Promise]:
    return (value for key, value in module.items() if key.startswith("promise_"))


def name_of(promise: Promise) -> str:
    return promise.__name__.removeprefix("promise_")


def check_promise(promise: Promise, part: Any, *arguments: Any) -> None:
    """Check a promise of a part, unless its class declares that it is exempt from it."""
    kind = part.func if isinstance(part, partial) else part if inspect.isfunction(part) else type(part)
    reason = getattr(kind, "exempt", {}).get(name_of(promise))
    if reason:
        pytest.skip(f"exempt: {reason}")
    promise(part, *arguments)


def unproven_promises(module: Mapping[str, Any], broken_rows: list[Any]) -> list[str]:
    """Promises of a test module that no broken part has tested; each row begins with its promise."""
    proven = {name_of(row[0]) for row in broken_rows}
    return [name for name in map(name_of, promises_of(module)) if name not in proven]


def broken_copy(part: Any, **replacements: Any) -> Any:
    """A copy of a part with some methods or attributes of its class replaced."""
    result = copy.copy(part)
    result.__class__ = type(f"Broken{type(part).__name__}", (type(part),), replacements)
    return result
