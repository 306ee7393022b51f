"""Check a run that trains on all but its test split, without a validation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from circuitvlm.runtime.config.check import check
from circuitvlm.runtime.config.compose import compose
from circuitvlm.runtime.folders import run_folder as folders
from circuitvlm.training.checkpoint import storage
from circuitvlm.training.execute import execute
from circuitvlm.training.module import Module

ROOT = Path(__file__).parents[2]
WORDS = [
    "~experiment", "data=scienceqa", "task=[rationale]", "model=lavin_new", "adapter=lora", "precision=32-true",
    f"data.scienceqa.root={ROOT / 'tests/fixtures/scienceqa'}", "data.scienceqa.splits.train.pids=trainval",
    "data.scienceqa.splits.validation=null", "eval_splits=[test]", "eval_items=2", "max_steps=1",
    "validate_every_n_steps=1",
    "global_batch_size=2", "micro_batch_size=1", "max_new_tokens=4", "num_workers=0", "logger=csv", "baselines={}",
    "model.shape={hidden: 32, layers: 2, heads: 2, kv_heads: 2, intermediate: 64, vision_hidden: 48, vision_heads: 2}",
]  # fmt: skip


def test_trainval_trains_and_test_is_graded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Module, "validation_step", lambda *args: pytest.fail("something was validated"))
    cfg = compose([*WORDS, f"folder={tmp_path / 'run'}", f"model.cache={tmp_path / 'cache'}"], config_dir=ROOT / "conf")
    check(cfg)
    with caplog.at_level("INFO"):
        execute(cfg, base=cfg, baseline_configs={})
    assert "data.scienceqa has no split 'validation': nothing of it is validated while training" in caplog.text
    assert folders.read_state(tmp_path / "run") == "finished"
    assert storage.newest_intact(tmp_path / "run") is not None
    assert any((tmp_path / "run" / "adapter").glob("*.safetensors"))
    assert len(json.loads((tmp_path / "run" / "replies" / "test" / "scores.json").read_text())["items"]) == 2
