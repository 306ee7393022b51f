"""Check that every experiment runs one training step as a smoke test and is graded, and that breaks are noticed."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Callback
from omegaconf import DictConfig, OmegaConf

from circuitvlm.core.tensor import Batch
from circuitvlm.runtime.config.check import check
from circuitvlm.runtime.config.compose import compose
from circuitvlm.runtime.folders import run_folder as folders
from circuitvlm.training.assemble import Run
from circuitvlm.training.checkpoint import storage
from tests.contract import parts

CHANGED = (
    "smoke_test=true",
    "trainer=cpu",
    "num_workers=0",
    "global_batch_size=4",
    "micro_batch_size=2",
    "eval_batch_size=2",
    "max_new_tokens=4",
    "checkpoint_every_n_steps=1",
    "max_minutes=null",
    "init_adapter=null",
)
ITEMS = 3


def promise_step(run: Run, watch: Watch) -> None:
    """One optimizer step with a finite loss moves what is trained and nothing else, and leaves a checkpoint."""
    assert run.trainer.global_step == 1, f"{run.trainer.global_step} steps"
    assert watch.losses, "no training batch was seen"
    assert all(map(math.isfinite, watch.losses)), f"losses {watch.losses}"
    still = [
        name for name, p in run.module.named_parameters() if p.requires_grad and torch.equal(p, watch.before[name])
    ]
    moved = [
        name
        for name, p in run.module.named_parameters()
        if not p.requires_grad and not torch.equal(p, watch.before[name])
    ]
    assert len(still) < len(watch.trained), f"none of {len(still)} trainable weights moved"
    assert not moved, f"{len(moved)} frozen weights moved"
    last = storage.newest_intact(run.folder)
    assert last is not None, "the step left no whole checkpoint"
    held = torch.load(last.state_path, weights_only=True)
    assert set(held["state_dict"]) == watch.trained, "the checkpoint holds other weights than those that are trained"
    assert any((run.folder / "adapter").glob("*.safetensors")), "no adapter was saved"


def promise_graded(run: Run, watch: Watch) -> None:
    """Every question of every split that the experiment evaluates gets a reply and a score."""
    grades = run.evaluate(run.cfg["eval_splits"], items=ITEMS, replies_folder=run.folder / "replies")
    assert set(grades) == set(run.cfg["eval_splits"]), f"graded are {sorted(grades)}"
    for split, found in grades.items():
        wanted = [question.id for question in run.data.questions(split, limit=ITEMS)]
        assert [item.id for item in found.items] == wanted, f"{split}: graded are {[item.id for item in found.items]}"
        for item in found.items:
            names = set(run.tasks[item.task].metrics)
            assert set(item.scores) == names, f"{item.id}: scores {sorted(item.scores)}, wanted {sorted(names)}"
        saved = json.loads((run.folder / "replies" / split / "scores.json").read_text())
        assert len(saved["items"]) == len(wanted), f"{split}: {len(saved['items'])} items in scores.json"


class Watch(Callback):
    """What the weights were before the first step, and the loss of each batch."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.before: dict[str, torch.Tensor] = {}
        self.trained: set[str] = set()

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        self.before = {name: p.detach().clone() for name, p in pl_module.named_parameters()}
        self.trained = {name for name, p in pl_module.named_parameters() if p.requires_grad}

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Batch, batch_idx: int) -> None:
        self.losses.append(float(outputs["loss"]))


def small_run(name: str, cache: Path, runs: Path, *more: str) -> Run:
    """The smoke test of an experiment, with few items, in a folder of its own."""
    composed = compose([f"experiment={name}", f"runs={runs}", *CHANGED, *more], config_dir=parts.CONF)
    cfg = OmegaConf.create(_few(OmegaConf.to_container(composed, resolve=True), cache))
    assert isinstance(cfg, DictConfig)
    check(cfg)
    run = Run(cfg, base=cfg)
    folders.prepare(run.folder, run.settings, base=cfg, overwrite=False)
    return run


def trained(run: Run) -> Watch:
    """The run, trained and watched."""
    watch = Watch()
    run.trainer.callbacks.append(watch)
    run.train()
    return watch


def _few(plain: Any, cache: Path) -> dict[str, Any]:
    made = dict(plain)
    for key in ("data", "model"):
        assert isinstance(made[key], Mapping)
        made[key] = parts.shrink(made[key], cache)
    return made


# ------------------------------------------------------------------------------------------------------- what is there


@pytest.fixture(scope="module")
def done(request: pytest.FixtureRequest, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Watch]:
    """An experiment's run, trained once for all promises; pytest asks them of it one after the other."""
    run = small_run(request.param, cache, tmp_path_factory.mktemp("runs"))
    return run, trained(run)


@pytest.mark.parametrize("done", parts.names("experiment"), indirect=True)
@parts.each_promise(globals())
def test_experiment_keeps(promise: parts.Promise, done: tuple[Run, Watch]) -> None:
    promise(*done)


# -------------------------------------------------------------------------------------- and we would notice if it broke


def test_an_experiment_that_learns_nothing_is_noticed(cache: Path, tmp_path: Path) -> None:
    run = small_run(parts.names("experiment")[0], cache, tmp_path, "optimizer.lr=0.0", "optimizer.weight_decay=0.0")
    watch = trained(run)
    with pytest.raises(AssertionError, match="trainable weights moved"):
        promise_step(run, watch)


def test_a_reply_that_is_graded_twice_is_noticed(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = small_run(parts.names("experiment")[0], cache, tmp_path)
    real = run.regrade

    def doubled(split: str, **given: Any) -> Any:
        found = real(split, **given)
        return type(found)(found.items * 2)

    monkeypatch.setattr(run, "regrade", doubled)
    watch = trained(run)
    with pytest.raises(AssertionError, match="graded are"):
        promise_graded(run, watch)
