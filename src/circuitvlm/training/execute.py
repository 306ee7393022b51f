"""What do `python train.py` and `python eval.py` do, from a checked config to a table?"""

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
from circuitvlm.report.document import document
from circuitvlm.report.grade import Grades
from circuitvlm.report.table import comparison
from circuitvlm.runtime.config.check import ConfigError, check
from circuitvlm.runtime.folders import provenance
from circuitvlm.runtime.folders import run_folder as folders
from circuitvlm.runtime.folders.lock import HeldError, held
from circuitvlm.runtime.folders.outcome import forget
from circuitvlm.runtime.progress import rank, restarts, setup_logging
from circuitvlm.training import baselines, preflight
from circuitvlm.training.assemble import Run, trained_run
from circuitvlm.training.sweep import child_process, trial

log = logging.getLogger(__name__)

THIS = "this run"
ZERO_SHOT = "zero-shot"

TAGS = ("source", "part", "level", "kind", "style", "components", "family", "layout", "items", "label")
"""What the tables of `breakdown.md` group by."""

CHANGEABLE = ("predict_batch", "max_new_tokens", "answering", "data", "tasks", "trainer", "precision", "model")
"""What an evaluation may state otherwise than the run did: other questions, another machine, another base."""


def quiet() -> None:
    """Silence what Lightning says of things that are so on purpose; everything else still reaches the log."""
    for message in (
        "You're resuming from a checkpoint that ended before the epoch ended",  # the sampler goes on by itself
        "You are using a custom batch sampler",  # it is ours, and tested to give every sample once
        r"Found \d+ module\(s\) in eval mode",  # frozen towers, put there by Module.configure_model
        "The '.*_dataloader' does not have many workers",  # `workers` is the user's setting
        r"`isinstance\(treespec, LeafSpec\)`",  # between Lightning and torch
    ):
        warnings.filterwarnings("ignore", message=message)
    for name in ("lightning.pytorch.utilities.rank_zero", "lightning.fabric.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.WARNING)


def execute(
    cfg: DictConfig, *, base: DictConfig, controls: Mapping[str, DictConfig], overrides: Sequence[str] = ()
) -> None:
    """All of `python train.py`: train, evaluate, run the controls, print and keep the table.

    `overrides` are what was said on the command line, kept in the run's folder for reports.
    """
    quiet()
    if restarts():
        cfg.fresh = False  # its launcher says the same words again, and means: go on
    run = Run(cfg, base=base)
    run.model.codec()  # weights that are missing are told before anything is written or drawn
    run.refuse_unfit()
    with folders.begun(run.folder, run.settings, base=base, fresh=cfg.fresh) as found:
        if found == "finished":
            log.info("this run is finished; fresh=true begins it again: %s\n%s", run.folder, _table(run.folder))
            return
        log.info("%s run in %s", "a new" if found == "new" else "going on with the", run.folder)
        _carry_out(run, controls=controls, overrides=overrides)


def _carry_out(run: Run, *, controls: Mapping[str, DictConfig], overrides: Sequence[str]) -> None:
    """Everything from the first step to the table; what an earlier start has done already is not done again."""
    if rank() == 0:
        forget(run.folder)
        provenance.note(run.folder, data=run.data.fingerprints())
        folders.note_overrides(run.folder, overrides)
    run.train()
    grades = run.evaluate(run.cfg["evaluate"], items=run.cfg["evaluate_items"], out=run.folder / "replies")
    if rank() != 0:
        return
    folders.write_atomic(run.folder / "trained.json", json.dumps(run.summary(), indent=2))
    minutes = run.module.seconds / 60
    rows: dict[str, Mapping[str, Grades]] = {THIS: grades}
    notes = {THIS: baselines.note_of(run.folder)}
    for name, other in controls.items():
        where = baselines.run_control(name, other, run=run.folder, minutes=minutes)
        rows[name], notes[name] = baselines.grades_of(where, run.cfg["evaluate"]), baselines.note_of(where)
    text = comparison(rows, notes=notes) + _further(grades, run.tasks, folder=run.folder)
    folders.write_atomic(run.folder / "table.md", text)
    folders.finish(run.folder, {split: g.means() for split, g in grades.items()})
    log.info("finished: %s\n%s", run.folder, text)


def _table(folder: Path) -> str:
    path = folder / "table.md"
    return path.read_text() if path.is_file() else ""


def execute_evaluation(cfg: DictConfig) -> None:
    """All of `python eval.py`: generate and grade replies with trained adapters, print and keep the table.

    Further runs, and the base without its adapter, answer the same questions and stand in the same table.
    """
    quiet()
    run = trained_run(Path(cfg.run), changes=_changes(cfg), task_type=cfg.task_type)
    where = Path(cfg.out) if cfg.out else Path(cfg.run) / ("shuffled" if cfg.shuffle_images else "evaluation")
    with held(where) if rank() == 0 else nullcontext():
        _grade(run, cfg, where=where)


def _grade(run: Run, cfg: DictConfig, *, where: Path) -> None:
    splits = list(cfg.splits) if cfg.splits else run.cfg["evaluate"]
    limit = next((n for n in (cfg["items"], cfg.max_samples) if n is not None), run.cfg["evaluate_items"])
    if odd := list(preflight.odd_splits(splits, run.sources, key="splits")):
        raise ConfigError(odd)
    rows = {}
    for name, (out, other) in _systems(run, cfg, where=where).items():
        found = other.evaluate(splits, items=limit, out=out, shuffle_images=cfg.shuffle_images)
        rows[f"{name}, images shuffled" if cfg.shuffle_images else name] = found
        other.let_go()  # one model at a time is in memory
    if rank() == 0:
        own = next(iter(rows.values()))
        text = comparison(rows, notes={}) + _further(own, run.tasks, folder=where)
        folders.write_atomic(where / "table.md", text)
        log.info("graded: %s\n%s", where, text)


def _systems(run: Run, cfg: DictConfig, *, where: Path) -> dict[str, tuple[Path, Run]]:
    """Folder of the replies, and run, of each row by its name. All are asked what the first one is.

    Raises for one that cannot be asked that, before the first is.
    """
    changes = {**_changes(cfg), "data": run.cfg["data"]}
    made = {Path(cfg.run).resolve().name: (where, run)}
    for path in map(Path, cfg.beside or ()):
        short = path.resolve().name
        name = str(path) if short in (*made, ZERO_SHOT) else short
        if name in made:
            raise ConfigError([f"beside: {path} stands there twice"])
        other = trained_run(path, changes=changes, task_type=cfg.task_type)
        if missing := [task for task in run.tasks if task not in other.tasks]:
            raise ConfigError(
                [f"beside: {path} has no task {', '.join(missing)}; say task=[..] to ask both the same questions"]
            )
        other.tasks = {task: other.tasks[task] for task in run.tasks}
        made[name] = (where / "beside" / name.replace("/", "_"), other)
    if cfg.zero_shot:
        base = trained_run(Path(cfg.run), changes=changes, task_type=cfg.task_type, adapted=False)
        made[ZERO_SHOT] = (where / "beside" / ZERO_SHOT, base)
    return made


def _further(grades: Mapping[str, Grades], tasks: Mapping[str, Task], *, folder: Path) -> str:
    """Direct against executed answers, where there are both; the tables by level, style and size, the CircuitSense
    document's output, ScienceQA's groups and result files, and the confusion of labels, go to files beside.
    """
    folders.write_atomic(folder / "breakdown.md", breakdown(grades, tags=TAGS))
    if (said := document(grades)) is not None:
        folders.write_atomic(folder / "circuitsense.json", json.dumps(said, indent=2, ensure_ascii=False))
    if table := scienceqa.group_table(grades):
        folders.write_atomic(folder / "scienceqa.md", table)
    for name, result in scienceqa.official_results(grades, tasks=tasks).items():
        folders.write_atomic(folder / f"{name}.json", json.dumps(result, indent=2, ensure_ascii=False))
    for split, graded in grades.items():
        for key, task in tasks.items():
            if (mixed := confusion_of(graded, key, task)) is not None:
                folders.write_atomic(folder / f"confusion_{split}_{key}.md", mixed.table())
                (folder / f"confusion_{split}_{key}.png").write_bytes(mixed.picture(title=f"{split}: {key}"))
    return side_by_side(grades)


def _changes(cfg: DictConfig) -> dict[str, Any]:
    plain = OmegaConf.to_container(cfg, resolve=True)
    assert isinstance(plain, dict), "a config is a mapping"
    return {key: plain[key] for key in CHANGEABLE if plain[key] is not None}


def main(words: Sequence[str]) -> None:
    """Run a resolved config as it stands: `python -m circuitvlm.training.execute CONFIG [BASE [OVERRIDE ..]]`.

    CONFIG and BASE are YAML files; BASE is the experiment unchanged. An error that ends the run is written into its
    folder too, for its sweep.
    """
    child_process.end_with_starter()
    setup_logging()
    cfg, *bases = (OmegaConf.load(path) for path in words[:2])
    assert isinstance(cfg, DictConfig), f"{words[0]} holds a mapping"
    base = bases[0] if bases else cfg
    assert isinstance(base, DictConfig), f"{words[1]} holds a mapping"
    check(cfg)
    where = folders.run_folder(cfg, base)
    try:
        execute(cfg, base=base, controls={}, overrides=words[2:])
    except HeldError:
        raise  # the folder is another process's: nothing is written there
    except Exception:
        if rank() == 0:
            trial.note_failure(where, traceback.format_exc())
        raise


if __name__ == "__main__":
    main(sys.argv[1:])
