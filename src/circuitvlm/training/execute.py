"""Run `python train.py` and `python eval.py`, from a checked config to a table."""

from __future__ import annotations

import json
import logging
import sys
import traceback
import warnings
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from circuitvlm.core.contract import Task
from circuitvlm.report import scienceqa
from circuitvlm.report.breakdown import breakdown, side_by_side
from circuitvlm.report.confusion import confusion_of
from circuitvlm.report.document import circuitsense_output
from circuitvlm.report.grade import Grades
from circuitvlm.report.table import comparison
from circuitvlm.runtime.config.check import ConfigError, check
from circuitvlm.runtime.folders import identity, provenance
from circuitvlm.runtime.folders import run_folder as folders
from circuitvlm.runtime.folders.links import refuse_links
from circuitvlm.runtime.folders.lock import FolderLockedError, lock_folder
from circuitvlm.runtime.folders.outcome import SUMMARY_FILE, clear_outcome
from circuitvlm.runtime.folders.saved_file import FolderError
from circuitvlm.runtime.folders.settings import to_dict
from circuitvlm.runtime.progress import rank, restart_count, setup_logging
from circuitvlm.training import baselines, preflight
from circuitvlm.training.assemble import Run, trained_run
from circuitvlm.training.sweep import child_process, trial

log = logging.getLogger(__name__)

RUN_ROW = "this run"
ZERO_SHOT_ROW = "zero-shot"

TAGS = ("source", "part", "level", "kind", "style", "components", "family", "layout", "items", "label")
"""The tags by which the tables of `breakdown.md` group."""

CHANGEABLE = ("eval_batch_size", "max_new_tokens", "answer_mode", "data", "tasks", "trainer", "precision", "model")
"""The keys by which an evaluation may differ from the run: other questions, another machine, another base."""


def filter_warnings() -> None:
    """Hide warnings of Lightning about things that are intended; all others still reach the log."""
    for message in (
        "You're resuming from a checkpoint that ended before the epoch ended",  # the sampler resumes by itself
        "You are using a custom batch sampler",  # it is ours, and tested to yield every sample once
        r"Found \d+ module\(s\) in eval mode",  # frozen towers, set by Module.configure_model
        "The '.*_dataloader' does not have many workers",  # `num_workers` is the user's setting
        r"`isinstance\(treespec, LeafSpec\)`",  # between Lightning and torch
    ):
        warnings.filterwarnings("ignore", message=message)
    for name in ("lightning.pytorch.utilities.rank_zero", "lightning.fabric.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.WARNING)


def execute(
    cfg: DictConfig, *, base: DictConfig, baseline_configs: Mapping[str, DictConfig], overrides: Sequence[str] = ()
) -> None:
    """Do all of `python train.py`: train, evaluate, run the baselines, log and save the table.

    `overrides` are those of the command line, saved in the run's folder for reports.
    """
    filter_warnings()
    if restart_count():
        cfg.overwrite = False  # its launcher repeats the command to resume the run
    run = Run(cfg, base=base)
    run.model.codec()  # missing weights are an error before anything is written or drawn
    run.check_parts()
    with folders.open_run(run.folder, run.settings, base=base, overwrite=cfg.overwrite) as state:
        if state == "finished":
            path = run.folder / "table.md"
            table = path.read_text() if path.is_file() else ""
            log.info("this run is finished; overwrite=true starts it again: %s\n%s", run.folder, table)
            return
        log.info("%s run in %s", "new" if state == "new" else "resumed", run.folder)
        _train_and_compare(run, baseline_configs=baseline_configs, overrides=overrides)


def _train_and_compare(run: Run, *, baseline_configs: Mapping[str, DictConfig], overrides: Sequence[str]) -> None:
    """Train, evaluate, run the baselines and save the table; what an earlier start has finished is not repeated."""
    if rank() == 0:
        clear_outcome(run.folder)
        _record_fingerprints(run)
        folders.write_overrides(run.folder, overrides)
    run.train()
    grades = run.evaluate(run.cfg["eval_splits"], items=run.cfg["eval_items"], replies_folder=run.folder / "replies")
    if rank() != 0:
        return
    folders.write_atomic(run.folder / SUMMARY_FILE, json.dumps(run.summary(), indent=2))
    minutes = run.module.seconds / 60
    rows: dict[str, Mapping[str, Grades]] = {RUN_ROW: grades}
    notes = {RUN_ROW: baselines.training_note(run.folder)}
    for name, cfg in baseline_configs.items():
        folder = baselines.run_baseline(name, cfg, run=run.folder, minutes=minutes)
        rows[name] = baselines.load_grades(folder, run.cfg["eval_splits"])
        notes[name] = baselines.training_note(folder)
    table = _write_tables(rows, run.tasks, notes=notes, folder=run.folder)
    folders.finish(run.folder, {split: of_split.means() for split, of_split in grades.items()})
    log.info("finished: %s\n%s", run.folder, table)


def _record_fingerprints(run: Run) -> None:
    """Record what identifies the model and the data. Raises FolderError where a resumed run is given others."""
    fingerprints = run.fingerprints()
    changes = identity.differences(provenance.read(run.folder), fingerprints)
    if changes and not run.cfg["allow_changed"]:
        lines = "".join(f"\n  {change}" for change in changes)
        raise FolderError(
            f"{run.folder}: expected the model and the data that this run began with, got others:{lines}\nRestore "
            "them, go on with these by allow_changed=true, or start again with overwrite=true"
        )
    for change in changes:
        log.warning("allow_changed=true: the run goes on with other files: %s", change)
    provenance.write(run.folder, fingerprints=fingerprints)


def execute_evaluation(cfg: DictConfig) -> None:
    """Do all of `python eval.py`: generate and grade replies with trained adapters, log and save the table.

    Further runs, and the base without its adapter, answer the same questions as rows of the same table.
    """
    filter_warnings()
    folder = Path(cfg.out) if cfg.out else Path(cfg.run) / ("shuffled" if cfg.shuffle_images else "evaluation")
    refuse_links(folder, within=None if cfg.out else Path(cfg.run))
    run = trained_run(Path(cfg.run), changes=_changes(cfg), task_type=cfg.task_type)
    with lock_folder(folder) if rank() == 0 else nullcontext():
        rows = _evaluate(run, cfg, folder=folder)
        if rank() == 0:
            log.info("graded: %s\n%s", folder, _write_tables(rows, run.tasks, notes={}, folder=folder))


def _evaluate(run: Run, cfg: DictConfig, *, folder: Path) -> dict[str, Mapping[str, Grades]]:
    """Row name -> grades of each split. Raises ConfigError for an unknown split before any reply is generated."""
    splits = list(cfg.splits) if cfg.splits else run.cfg["eval_splits"]
    items = run.cfg["eval_items"] if cfg.max_samples is None else cfg.max_samples
    if faults := list(preflight.unknown_splits(splits, run.sources, key="splits")):
        raise ConfigError(faults)
    if not cfg.data:  # else other data are intended
        run.warn_of_changes({"data": run.data.fingerprints(splits)})
    rows: dict[str, Mapping[str, Grades]] = {}
    for name, (path, row_run) in _rows(run, cfg, folder=folder).items():
        row_name = f"{name}, images shuffled" if cfg.shuffle_images else name
        rows[row_name] = row_run.evaluate(splits, items=items, replies_folder=path, shuffle_images=cfg.shuffle_images)
        row_run.release()  # one model at a time is in memory
    return rows


def _rows(run: Run, cfg: DictConfig, *, folder: Path) -> dict[str, tuple[Path, Run]]:
    """Row name -> folder of its replies and its run. All rows have the tasks of the first one.

    Raises ConfigError before any reply is generated for a run that lacks one of these tasks or is given twice.
    """
    changes = {**_changes(cfg), "data": run.cfg["data"]}
    rows = {Path(cfg.run).resolve().name: (folder, run)}
    for path in map(Path, cfg.compare_with or ()):
        short_name = path.resolve().name
        name = str(path) if short_name in (*rows, ZERO_SHOT_ROW) else short_name
        if name in rows:
            raise ConfigError([f"compare_with: expected different folders, got {path} twice"])
        row_run = trained_run(path, changes=changes, task_type=cfg.task_type)
        if missing_tasks := [task for task in run.tasks if task not in row_run.tasks]:
            raise ConfigError(
                [
                    f"compare_with: expected a run with the tasks of run={cfg.run}, got {path} without "
                    f"{', '.join(missing_tasks)}; select the tasks of both with task=[..]"
                ]
            )
        row_run.tasks = {task: row_run.tasks[task] for task in run.tasks}
        rows[name] = (folder / "compared" / name.replace("/", "_"), row_run)
    if cfg.zero_shot:
        base = trained_run(Path(cfg.run), changes=changes, task_type=cfg.task_type, with_adapter=False)
        rows[ZERO_SHOT_ROW] = (folder / "compared" / ZERO_SHOT_ROW, base)
    return rows


def _write_tables(
    rows: Mapping[str, Mapping[str, Grades]], tasks: Mapping[str, Task], *, notes: Mapping[str, str], folder: Path
) -> str:
    """Save the table of all rows, which is returned, and further files about the first row.

    These are the tables by tag, the output of the CircuitSense document, ScienceQA's groups and result files, and the
    confusion of labels.
    """
    grades = next(iter(rows.values()))
    table = comparison(rows, notes=notes) + side_by_side(grades)
    folders.write_atomic(folder / "breakdown.md", breakdown(grades, tags=TAGS))
    if (content := circuitsense_output(grades)) is not None:
        folders.write_atomic(folder / "circuitsense.json", json.dumps(content, indent=2, ensure_ascii=False))
    if group_table := scienceqa.group_table(grades):
        folders.write_atomic(folder / "scienceqa.md", group_table)
    for name, result in scienceqa.official_results(grades, tasks=tasks).items():
        folders.write_atomic(folder / f"{name}.json", json.dumps(result, indent=2, ensure_ascii=False))
    for split, of_split in grades.items():
        for key, task in tasks.items():
            if (confusion := confusion_of(of_split, key, task)) is not None:
                folders.write_atomic(folder / f"confusion_{split}_{key}.md", confusion.table())
                picture = confusion.picture(title=f"{split}: {key}")
                folders.write_atomic(folder / f"confusion_{split}_{key}.png", picture)
    folders.write_atomic(folder / "table.md", table)
    return table


def _changes(cfg: DictConfig) -> dict[str, Any]:
    settings = to_dict(cfg)
    return {key: settings[key] for key in CHANGEABLE if settings[key] is not None}


def main(arguments: Sequence[str]) -> None:
    """Execute a resolved config as it is: `python -m circuitvlm.training.execute CONFIG [BASE [OVERRIDE ..]]`.

    CONFIG and BASE are YAML files; BASE is the experiment without changes. An error that ends the run is also written
    into its folder, for its sweep.
    """
    child_process.exit_with_starter()
    setup_logging()
    cfg, *bases = (OmegaConf.load(path) for path in arguments[:2])
    assert isinstance(cfg, DictConfig), f"{arguments[0]} holds a mapping"
    base = bases[0] if bases else cfg
    assert isinstance(base, DictConfig), f"{arguments[1]} holds a mapping"
    check(cfg)
    folder = folders.run_folder(cfg, base)
    try:
        execute(cfg, base=base, baseline_configs={}, overrides=arguments[2:])
    except FolderLockedError:
        raise  # another process writes into the folder
    except Exception:
        if rank() == 0:
            trial.write_failure(folder, traceback.format_exc())
        raise


if __name__ == "__main__":
    main(sys.argv[1:])
