"""Which promises do parts not keep, and why? `python -m tests.contract.exemptions` counts and prints them."""

from __future__ import annotations

import importlib
import inspect
import logging
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from circuitvlm.runtime.config.allow_list import DOORS, door_files

HERE = Path(__file__).parent
log = logging.getLogger("exemptions")


@dataclass(frozen=True, slots=True)
class Exemption:
    """One class, one promise that it cannot keep, one reason."""

    room: str
    kind: str
    promise: str
    reason: str


def known(folder: Path = HERE) -> dict[str, set[str]]:
    """The promises of each room: the functions `promise_<name>` of its contract test."""
    files = {path.stem.removeprefix("test_"): path for path in folder.glob("test_*.py")}
    pattern = r"(?m)^def promise_(\w+)\("
    return {room: set(re.findall(pattern, files[room].read_text(encoding="utf-8"))) for room in DOORS if room in files}


def exemptions() -> list[Exemption]:
    """Every exemption that a public class or function of a room with doors declares."""
    return [
        Exemption(room, f"{kind.__module__}.{kind.__qualname__}", promise, reason)
        for room in DOORS
        for kind in kinds(room)
        for promise, reason in getattr(kind, "exempt", {}).items()
    ]


def kinds(room: str) -> Iterator[type]:
    """The public classes and functions written in the room's doors."""
    for file in door_files(room):
        module = importlib.import_module(f"{DOORS[room]}.{file}")
        for name, value in vars(module).items():
            ours = getattr(value, "__module__", None) == module.__name__ and not name.startswith("_")
            if ours and (inspect.isclass(value) or inspect.isfunction(value)):
                yield value


def faults(found: list[Exemption], promises: Mapping[str, set[str]]) -> list[str]:
    """What is wrong with exemptions: a promise that no contract test knows, or no reason."""
    wrong = []
    for one in found:
        there = promises.get(one.room, set())
        if one.promise not in there:
            wrong.append(
                f"{one.kind}: no promise {one.promise!r}; the room {one.room} promises {', '.join(sorted(there))}"
            )
        if not isinstance(one.reason, str) or not one.reason.strip():
            wrong.append(f"{one.kind}: exempt from {one.promise!r} without a reason")
    return wrong


def main() -> int:
    """Print the exemptions; 0 where all are of known promises and have reasons."""
    found = exemptions()
    log.info("%d exemptions from %d promises", len(found), sum(map(len, known().values())))
    for one in found:
        log.info("  %s: not %r, since %s", one.kind, one.promise, one.reason)
    wrong = faults(found, known())
    for fault in wrong:
        log.error("%s", fault)
    return 1 if wrong else 0


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    sys.exit(main())
