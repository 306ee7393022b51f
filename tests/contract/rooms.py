"""Which parts are there, how is one built, how is it held to a promise? What lies in conf/ decides, never a list."""

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


def names(room: str) -> list[str]:
    """What can be chosen in a room: its YAMLs on disk."""
    folder = CONF / room
    return sorted(path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.yaml"))


@cache
def config(*overrides: str) -> dict[str, Any]:
    """The resolved config of a run with these overrides, without the experiment that is chosen where none is named."""
    plain = OmegaConf.to_container(compose(["~experiment", *overrides], config_dir=CONF), resolve=True)
    assert isinstance(plain, dict), "a config is a mapping"
    return {str(key): value for key, value in plain.items()}


def sections(room: str, name: str) -> dict[str, dict[str, Any]]:
    """What a YAML says, resolved: by key where the room is plural, else under the YAML's own name."""
    if room == "metric":
        task = next(iter(config()["tasks"]))
        chosen = config(f"+metric@tasks.{task}.metrics.probe={name}")
        return {name: copy.deepcopy(chosen["tasks"][task]["metrics"]["probe"])}
    chosen = config(f"{room}={name}")
    plural = {"data": "data", "task": "tasks"}.get(room)
    return copy.deepcopy(chosen[plural] if plural else {name: chosen[room]})


def section(room: str, name: str) -> dict[str, Any]:
    """What the YAML of a room without keys says, resolved."""
    return next(iter(sections(room, name).values()))


def build(room: str, name: str, *, cache: Path | None = None, **changed: Any) -> Any:
    """The part that a YAML describes, with some arguments changed and its cache moved to a folder of the test."""
    said = section(room, name) | changed
    return instantiate(said if cache is None else small(said, cache))


def small(said: Mapping[str, Any], cache: Path) -> dict[str, Any]:
    """A section with few items, no processes, its own cache, and as `root` the fixtures of a data set of that name."""
    made: dict[str, Any] = {}
    for key, value in said.items():
        if isinstance(value, Mapping):
            value = small(value, cache)
        elif key == "count" and isinstance(value, int):
            value = min(value, COUNT)
        elif key == "cache":
            value = str(cache)
        elif key == "workers":
            value = 0
        elif key == "root" and (FIXTURES / file_of(said)).is_dir():
            value = str(FIXTURES / file_of(said))
        made[key] = value
    return made


def file_of(said: Mapping[str, Any]) -> str:
    """The room's file that a section builds from: `lora` for circuitvlm.adapter.lora.Lora."""
    return str(said[TARGET]).split(".")[-2]


def targets(path: Path) -> list[str]:
    """What a YAML builds: its own target, those of its named parts, or those of the YAML that it builds upon."""
    node = OmegaConf.load(path)
    assert isinstance(node, DictConfig), f"{path} is no mapping"
    plain = OmegaConf.to_container(node, resolve=False)
    assert isinstance(plain, dict)
    if TARGET in plain:
        return [str(plain[TARGET])]
    parts = [part for part in plain.values() if isinstance(part, dict) and TARGET in part]
    below = [name for name in plain.get("defaults", []) if isinstance(name, str) and name != "_self_"]
    found = [str(part[TARGET]) for part in parts]
    return found or [target for name in below for target in targets(path.parent / f"{name}.yaml")]


def families(room: str) -> list[str]:
    """One YAML for each class of a room: enough where the YAMLs differ in size only.

    Read from the files alone: tests are listed by it, and to compose each would take longer than many of them.
    """
    first: dict[str, str] = {}
    for name in names(room):
        (target,) = targets(CONF / room / f"{name}.yaml")
        first.setdefault(target, name)
    return list(first.values())


# ------------------------------------------------------------------------------------------------------------ promises


Promise = Callable[..., None]


def promises(module: Mapping[str, Any]) -> Any:
    """A decorator that runs a test once for each `promise_...` of its module."""
    found = list(promises_of(module))
    return pytest.mark.parametrize("promise", found, ids=[name_of(promise) for promise in found])


def promises_of(module: Mapping[str, Any]) -> Iterator[Promise]:
    return (value for key, value in module.items() if key.startswith("promise_"))


def name_of(promise: Promise) -> str:
    return promise.__name__.removeprefix("promise_")


def hold(promise: Promise, part: Any, *given: Any) -> None:
    """Hold a part to a promise, unless its class declares that it cannot keep it."""
    kind = part.func if isinstance(part, partial) else part if inspect.isfunction(part) else type(part)
    reason = getattr(kind, "exempt", {}).get(name_of(promise))
    if reason:
        pytest.skip(f"exempt: {reason}")
    promise(part, *given)


def unproven(module: Mapping[str, Any], broken: list[Any]) -> list[str]:
    """Promises of a test module that no broken part has tested; the rows of `broken` begin with the promise."""
    proven = {name_of(row[0]) for row in broken}
    return [name for name in map(name_of, promises_of(module)) if name not in proven]


def broken(part: Any, **instead: Any) -> Any:
    """A copy of a part with some methods or attributes of its class replaced."""
    worse = copy.copy(part)
    worse.__class__ = type(f"Broken{type(part).__name__}", (type(part),), instead)
    return worse
