"""What else stands in a run's table? Its controls: the same run with other overrides, each as a process of its own."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from omegaconf import DictConfig

from circuitvlm.report.grade import Grades
from circuitvlm.runtime.config.check import check
from circuitvlm.runtime.config.compose import compose
from circuitvlm.runtime.entry import ToldError
from circuitvlm.runtime.folders import run_folder as folders
from circuitvlm.training.sweep import child_process

log = logging.getLogger(__name__)


def compose_controls(cfg: DictConfig, *, overrides: Sequence[str], config_dir: Path) -> dict[str, DictConfig]:
    """Each control's checked config; none for a stand-in. Raises before anything is trained where one cannot be."""
    made: dict[str, DictConfig] = {}
    if cfg.standin:
        return made
    for name, own in (cfg.controls or {}).items():
        control = compose([*_beside(overrides, own), *own], config_dir=config_dir)
        control.update(controls=None, fresh=False)
        check(control)
        made[str(name)] = control
    return made


def run_control(name: str, cfg: DictConfig, *, run: Path, minutes: float) -> Path:
    """Train and evaluate a control, given the same minutes at most, unless that is done; returns its folder.

    Raises ToldError where its process failed.
    """
    where = run / "controls" / name
    if folders.state(where) != "finished":
        cfg.update(minutes=max(minutes, 0.1), folder=str(where))
        where.parent.mkdir(parents=True, exist_ok=True)
        path = where.with_name(f"{name}.yaml")
        folders.write_atomic(path, folders.as_yaml(cfg))
        log.info("control %s: its config is %s", name, path)
        if status := child_process.run([*child_process.PROGRAM, str(path)], env=child_process.alone()):
            raise ToldError(
                f"control {name} ended with status {status}; what it had to say stands above. The run itself is "
                f"trained and graded; the same command goes on with the control, whose config is {path}"
            )
    return where


def grades_of(folder: Path, splits: Sequence[str]) -> Mapping[str, Grades]:
    """What a finished run scored on each split."""
    return {split: Grades.load(folder / "replies" / split / "scores.json") for split in splits}


def note_of(folder: Path) -> str:
    """How much a run was trained, for its row of the table."""
    made = json.loads((folder / "trained.json").read_text())
    return f"{made['minutes']:.1f} min, {made['samples']:,} samples, {made['trainable_parameters']:,} trainable weights"


def _beside(overrides: Sequence[str], own: Sequence[str]) -> list[str]:
    """The user's overrides that a control does not replace: its `adapter=full` ends the user's `adapter.rank=8` too."""
    heads = {_key(word) for word in own}
    if "steps" in heads:
        heads.add("epochs")
    if heads & {"optimizer", "optimizer.lr"}:  # which states a rate of its own
        heads.add("blr")
    return [w for w in overrides if not any(_key(w) == h or _key(w).startswith(f"{h}.") for h in heads)]


def _key(override: str) -> str:
    return override.lstrip("+~").partition("=")[0]
