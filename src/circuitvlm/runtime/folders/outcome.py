"""Read how a run ended (finished, failed or pruned), and what its validations measured."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from circuitvlm.runtime.folders import run_folder as folders
from circuitvlm.runtime.folders.saved_file import read_json

PRUNED_FILE, VALIDATIONS_FILE, STEP = "pruned.txt", "validated.json", "step"
"""Files in a run's folder, and the key of the optimizer step in a validation."""

SUMMARY_FILE = "trained.json"
"""The file with what was trained, for how long, and what ended the training before its last step."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The state of a run, and why it ended before its last step; an empty text where the folder has no reason."""

    state: Literal["finished", "pruned", "failed", "not finished"]
    reason: str = ""


def read_outcome(folder: Path) -> Outcome:
    """The outcome that the files in a run's folder tell."""
    if folders.read_state(folder) == "finished":
        path = folder / SUMMARY_FILE
        return Outcome("finished", end_note(read_json(path, dict)) if path.is_file() else "")
    if (folder / PRUNED_FILE).is_file():
        return Outcome("pruned", _last_line(folder / PRUNED_FILE))
    if (folder / folders.FAILED_FILE).is_file():
        return Outcome("failed", _last_line(folder / folders.FAILED_FILE))
    return Outcome("not finished")


def end_note(summary: Mapping[str, Any]) -> str:
    """What ended a training before its last step, by its summary, and at which step; empty where nothing did."""
    reason = summary.get("ended_by")
    return f"ended by {reason} at step {summary['steps']} of {summary['planned_steps']}" if reason else ""


def clear_outcome(folder: Path) -> None:
    """Delete the files that tell why an earlier attempt ended, for a run that is resumed."""
    for name in (PRUNED_FILE, folders.FAILED_FILE):
        (folder / name).unlink(missing_ok=True)


def _last_line(path: Path) -> str:
    lines = path.read_text(encoding="utf-8").strip().splitlines()
    return lines[-1] if lines else ""


def read_validations(folder: Path) -> list[dict[str, float]]:
    """The optimizer step and the metrics of each validation of a run, in order; empty where none is recorded."""
    path = folder / VALIDATIONS_FILE
    rows: list[dict[str, float]] = read_json(path, list) if path.is_file() else []
    return rows


def record_validation(folder: Path, step: int, metrics: dict[str, float]) -> None:
    """Add a validation to a run's; those of this step and of later ones, from before a resume, are replaced."""
    earlier = [row for row in read_validations(folder) if row[STEP] < step]
    folders.write_atomic(folder / VALIDATIONS_FILE, json.dumps([*earlier, {STEP: step, **metrics}], indent=1) + "\n")
