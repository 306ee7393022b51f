"""Compose and run a run's baselines: the same run with other overrides, each in a process of its own."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from omegaconf import DictConfig

from circuitvlm.report.grade import Grades
from circuitvlm.runtime.config.check import check
from circuitvlm.runtime.config.compose import compose
from circuitvlm.runtime.entry import ReportedError
from circuitvlm.runtime.folders import run_folder as folders
from circuitvlm.runtime.folders.outcome import SUMMARY_FILE, end_note
from circuitvlm.runtime.folders.portable import unresolved_yaml
from circuitvlm.runtime.folders.saved_file import read_json
from circuitvlm.training.sweep import child_process

log = logging.getLogger(__name__)


def compose_baselines(cfg: DictConfig, *, overrides: Sequence[str], config_dir: Path) -> dict[str, DictConfig]:
    """Name -> checked config of each baseline; none for a smoke test. Raises ConfigError before any training."""
    configs: dict[str, DictConfig] = {}
    if cfg.smoke_test:
        return configs
    for name, changes in (cfg.baselines or {}).items():
        baseline = compose([*_remaining_overrides(overrides, changes), *changes], config_dir=config_dir)
        baseline.update(baselines=None, overwrite=False)
        check(baseline)
        configs[str(name)] = baseline
    return configs


def run_baseline(name: str, cfg: DictConfig, *, run: Path, minutes: float) -> Path:
    """Train and evaluate a baseline within `minutes`, unless it is finished; returns its folder.

    Raises ReportedError where its process fails.
    """
    folder = run / "baselines" / name
    state = folders.read_state(folder)
    if state != "finished":
        if state == "started":  # which keeps its limit: the minutes of a resumed run are measured again
            minutes = folders.read_config(folder)["max_minutes"]
        cfg.update(max_minutes=max(minutes, 0.1), folder=str(folder))
        folder.parent.mkdir(parents=True, exist_ok=True)
        path = folder.with_name(f"{name}.yaml")
        folders.write_atomic(path, unresolved_yaml(cfg))
        log.info("baseline %s: its config is %s", name, path)
        command = [*child_process.PROGRAM, str(path)]
        if status := child_process.run(command, env=child_process.environment_without_launcher()):
            raise ReportedError(
                f"baselines.{name}: expected exit status 0, got {status}; its error is shown above, its config is "
                f"{path}. The run itself is trained and graded; the same command resumes the baseline"
            )
    return folder


def load_grades(folder: Path, splits: Sequence[str]) -> Mapping[str, Grades]:
    """A finished run's grades of each split."""
    return {split: Grades.load(folder / "replies" / split / "scores.json") for split in splits}


def training_note(folder: Path) -> str:
    """How much a run was trained, for its row of the table."""
    summary = read_json(folder / SUMMARY_FILE, dict)
    note = (
        f"{summary['minutes']:.1f} min, {summary['samples']:,} samples, "
        f"{summary['trainable_parameters']:,} trainable weights"
    )
    if end := end_note(summary):
        note += f", {end}"
    return note


def _remaining_overrides(overrides: Sequence[str], changes: Sequence[str]) -> list[str]:
    """The user's overrides that a baseline does not replace: its `adapter=full` ends `adapter.rank=8` too."""
    keys = {_key(change) for change in changes}
    if "max_steps" in keys:
        keys.add("max_epochs")
    if keys & {"optimizer", "optimizer.lr"}:  # which state a rate of their own
        keys.add("base_lr")
    return [word for word in overrides if not any(f"{_key(word)}.".startswith(f"{key}.") for key in keys)]


def _key(override: str) -> str:
    return override.lstrip("+~").partition("=")[0]
