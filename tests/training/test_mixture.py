"""Check that a run of several sources trains by its weights, validates and grades each, and resumes."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from circuitvlm.report.grade import Grades
from circuitvlm.runtime.config.check import ConfigError, check
from circuitvlm.runtime.config.compose import compose
from circuitvlm.runtime.folders import run_folder as folders
from circuitvlm.training.assemble import Run
from circuitvlm.training.execute import execute
from circuitvlm.training.module import Module

CONF = Path(__file__).parents[2] / "conf"
WORDS = [
    "~experiment", "data=[circuits,digits]", "task=[netlist,digit]", "model=projector_tiny", "adapter=projector",
    "dropout=constant_none", "precision=32-true", "mixture_weights={circuits: 3, digits: 1}", "global_batch_size=4",
    "micro_batch_size=2", "max_steps=4", "validate_every_n_steps=4", "validate_items=4", "checkpoint_every_n_steps=2",
    "eval_splits=[test_seen,test]", "eval_items=2",
    "max_new_tokens=4", "num_workers=0", "data.circuits.num_workers=0", "logger=csv", "baselines={}",
    "callback.pictures=null",
    "model.shape={hidden: 32, layers: 1, heads: 2, kv_heads: 2, intermediate: 32}",
    *(f"data.circuits.splits.{split}.count=4" for split in ("train", "validation", "test_seen")),
    *(f"data.digits.splits.{split}.count=8" for split in ("train", "validation", "test")),
]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CIRCUITVLM_CACHE", str(tmp_path_factory.mktemp("mixture")))
        yield


def go(folder: Path, *words: str) -> Path:
    cfg = compose([*WORDS, f"folder={folder}", f"model.cache={folder.parent / 'model'}", *words], config_dir=CONF)
    check(cfg)
    execute(cfg, base=cfg, baseline_configs={})
    return folder


def test_a_mixture_keeps_its_shares_grades_each_source_and_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: Counter[str] = Counter()
    step = Module.training_step

    def watched(module: Module, batch: Any) -> Any:
        if broken and module.global_step == 3:
            raise RuntimeError("killed")
        seen.update(id.split("/")[0] for id in batch.ids)
        return step(module, batch)

    monkeypatch.setattr(Module, "training_step", watched)
    broken = False
    whole = go(tmp_path / "whole")
    assert sum(seen.values()) == 16
    assert seen["circuits"] > seen["digits"] > 0
    scored = [Grades.load(whole / "replies" / split / "scores.json") for split in ("test_seen", "test")]
    assert [sorted({item.task for item in grades.items}) for grades in scored] == [["netlist"], ["digit"]]
    with (whole / "csv" / "metrics.csv").open() as file:
        validated = {key for row in csv.DictReader(file) for key, value in row.items() if value}
    assert {"validate/loss", "validate/netlist/topology", "validate/digit/right"} <= validated

    broken = True
    with pytest.raises(RuntimeError, match="killed"):
        go(tmp_path / "stopped")
    broken = False
    stopped = go(tmp_path / "stopped")
    first, second = (load_file(next((folder / "adapter").glob("*.safetensors"))) for folder in (whole, stopped))
    assert first.keys() == second.keys()
    assert all(bool((first[name] == second[name]).all()) for name in first)


@pytest.mark.parametrize("weights", [["circuits: 3", "digits: 1"], []], ids=["weighted", "by_size"])
def test_the_order_of_sources_tasks_and_weights_changes_no_sample_and_no_folder(
    tmp_path: Path, weights: list[str]
) -> None:
    ids, folders_of_runs = [], []
    for step in (1, -1):
        orders = [",".join(names[::step]) for names in (["circuits", "digits"], ["netlist", "digit"], weights)]
        words = [f"data=[{orders[0]}]", f"task=[{orders[1]}]", f"mixture_weights={{{orders[2]}}}"]
        cfg = compose([*WORDS, f"runs={tmp_path}", f"model.cache={tmp_path / 'model'}", *words], config_dir=CONF)
        run = Run(cfg, base=compose(WORDS, config_dir=CONF))
        batches = [*run.data.train_dataloader(), *(batch.loss_batch for batch in run.data.val_dataloader())]
        ids.append([batch.ids for batch in batches])
        folders_of_runs.append(run.folder)
    assert ids[0] == ids[1]
    assert folders_of_runs[0] == folders_of_runs[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["mixture_weights.digist=1"], r"source/task of .*, got 'digist'\. Did you mean 'digits'\?"),
        (["mixture_weights={circuits/netlsit: 1}"], r"Did you mean 'circuits/netlist'\?"),
        (["mixture_weights.digits=-1"], r"mixture_weights\.digits: expected 0 or more, got -1"),
        (["mixture_weights.digits=nan"], r"mixture_weights\.digits: expected 0 or more, got nan"),
        (["mixture_weights={circuits: 0, digits: 0}"], "expected at least one above 0"),
        (["~mixture_weights.digits"], "expected a weight of digits, got none"),
        (["~data.digits.splits.train"], "the split 'train', got data.digits"),
    ],
)
def test_shares_that_cannot_be_kept_are_told_before_anything_is_written(
    words: list[str], said: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=said):
        go(tmp_path / "run", *words)
    assert folders.read_state(tmp_path / "run") == "new"


def test_a_part_that_no_task_asks_about_is_named(tmp_path: Path) -> None:
    cfg = compose([*WORDS, f"folder={tmp_path}", "mixture_weights={digits/netlist: 1}"], config_dir=CONF)
    with pytest.raises(ValueError, match=r"mixture_weights\.digits/netlist: expected questions in"):
        Run(cfg, base=cfg).data.train_dataloader()


def test_a_source_that_is_not_graded_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    words = ("eval_splits=[test_seen]", "max_steps=1", "validate_every_n_steps=1", "data.digits.splits.validation=null")
    with caplog.at_level("INFO"):
        go(tmp_path / "run", *words)
    assert "nothing of data.digits is graded; it has test, train" in caplog.text
    assert "data.digits has no split 'validation'" in caplog.text
    assert "validate/digit" not in (tmp_path / "run" / "csv" / "metrics.csv").read_text(), "a score of nothing"
