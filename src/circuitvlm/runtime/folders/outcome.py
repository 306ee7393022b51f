"""What became of a run: did it finish, did it fail, was it stopped as hopeless, and what did its validations say?"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from circuitvlm.runtime.folders import run_folder as folders

PRUNED, VALIDATED, STEP = "pruned.txt", "validated.json", "step"
"""Files in a run's folder, and the key of a validation's optimizer step."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The state of a run, and why it is not finished; empty where the folder does not say."""

    state: Literal["finished", "pruned", "failed", "not finished"]
    why: str = ""


def outcome(folder: Path) -> Outcome:
    """As the files in a run's folder have it."""
    if folders.state(folder) == "finished":
        return Outcome("finished")
    if (folder / PRUNED).is_file():
        return Outcome("pruned", _last_line(folder / PRUNED))
    if (folder / folders.FAILED).is_file():
        return Outcome("failed", _last_line(folder / folders.FAILED))
    return Outcome("not finished")


def forget(folder: Path) -> None:
    """A run goes on: why an earlier try of it ended is so no longer."""
    for word in (PRUNED, folders.FAILED):
        (folder / word).unlink(missing_ok=True)


def _last_line(path: Path) -> str:
    lines = path.read_text(encoding="utf-8").strip().splitlines()
    return lines[-1] if lines else ""


def read_validated(folder: Path) -> list[dict[str, float]]:
    """The optimizer step and the metrics of each validation of a run, in order; empty where none was noted."""
    path = folder / VALIDATED
    rows: list[dict[str, float]] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    return rows


def note_validated(folder: Path, step: int, metrics: dict[str, float]) -> None:
    """Add a validation to a run's; what was noted of this step or a later one before it went on is replaced."""
    before = [row for row in read_validated(folder) if row[STEP] < step]
    folders.write_atomic(folder / VALIDATED, json.dumps([*before, {STEP: step, **metrics}], indent=1) + "\n")
