"""List the promises from which parts are exempt: `python -m tests.contract.exemptions` counts and prints them."""

from __future__ import annotations

import importlib
import inspect
import logging
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from circuitvlm.runtime.config.allow_list import PART_PACKAGES, part_modules

HERE = Path(__file__).parent
log = logging.getLogger("exemptions")


@dataclass(frozen=True, slots=True)
class Exemption:
    """One class, one promise that it cannot keep, and the reason."""

    group: str
    kind: str
    promise: str
    reason: str


def known_promises(folder: Path = HERE) -> dict[str, set[str]]:
    """The promises of each group: the functions `promise_<name>` of its contract test."""
    files = {path.stem.removeprefix("test_"): path for path in folder.glob("test_*.py")}
    pattern = r"(?m)^def promise_(\w+)\("
    groups = [group for group in PART_PACKAGES if group in files]
    return {group: set(re.findall(pattern, files[group].read_text(encoding="utf-8"))) for group in groups}


def exemptions() -> list[Exemption]:
    """Every exemption that a public class or function of a part module declares."""
    return [
        Exemption(group, f"{kind.__module__}.{kind.__qualname__}", promise, reason)
        for group in PART_PACKAGES
        for kind in kinds(group)
        for promise, reason in getattr(kind, "exempt", {}).items()
    ]


def kinds(group: str) -> Iterator[type]:
    """The public classes and functions that the group's part modules and sub-packages define."""
    for name in part_modules(group):
        module = importlib.import_module(f"{PART_PACKAGES[group]}.{name}")
        for key, value in vars(module).items():
            is_own = f"{getattr(value, '__module__', '')}.".startswith(f"{module.__name__}.")
            if is_own and not key.startswith("_") and (inspect.isclass(value) or inspect.isfunction(value)):
                yield value


def faults(declarations: list[Exemption], promises: Mapping[str, set[str]]) -> list[str]:
    """What is wrong with exemptions: a promise that no contract test knows, or no reason."""
    result = []
    for exemption in declarations:
        names = promises.get(exemption.group, set())
        if exemption.promise not in names:
            result.append(
                f"{exemption.kind}: expected a promise of {', '.join(sorted(names))} (group {exemption.group}), "
                f"got {exemption.promise!r}"
            )
        if not isinstance(exemption.reason, str) or not exemption.reason.strip():
            result.append(f"{exemption.kind}: expected a reason for {exemption.promise!r}, got {exemption.reason!r}")
    return result


def main() -> int:
    """Print the exemptions; return 0 where all are from known promises and have reasons."""
    declarations = exemptions()
    log.info("%d exemptions from %d promises", len(declarations), sum(map(len, known_promises().values())))
    for exemption in declarations:
        log.info("  %s: not %r, since %s", exemption.kind, exemption.promise, exemption.reason)
    wrong = faults(declarations, known_promises())
    for fault in wrong:
        log.error("%s", fault)
    return 1 if wrong else 0


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    sys.exit(main())
