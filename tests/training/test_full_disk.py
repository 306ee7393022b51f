"""Check the error of a full disk at the end of a run, and that the same command resumes from there."""

from __future__ import annotations

import errno
import logging
from pathlib import Path
from typing import Any

import pytest
from safetensors import SafetensorError

from circuitvlm.runtime import entry
from circuitvlm.runtime.config.check import check
from circuitvlm.runtime.config.compose import compose
from circuitvlm.runtime.folders import run_folder as folders
from circuitvlm.training.assemble import Run
from circuitvlm.training.execute import execute
from circuitvlm.training.replies import ReplyWriter
from tests.contract import parts
from tests.training.test_doctor import FAMILIES

WORDS = [
    "~experiment", *FAMILIES["projector"], "smoke_test=true", "trainer=cpu", "num_workers=0",
    "data.circuits.num_workers=0",
    "global_batch_size=2", "micro_batch_size=2", "precision=32-true", "logger=csv", "callback=[]",
    "eval_splits=[validation]",
    "data.circuits.splits.train.count=2", "data.circuits.splits.validation.count=1", "max_new_tokens=2",
    "data.circuits.splits.train.components=[2,2]", "data.circuits.splits.validation.components=[2,2]",
]  # fmt: skip


def in_rust(*_: Any) -> None:
    """As safetensors says it."""
    raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")


def plainly(*_: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_at_the_end_of_a_run_is_told_wherever_it_is_met(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("CIRCUITVLM_CACHE", str(tmp_path / "cache"))
    run, write = tmp_path / "run", folders.write_atomic
    cfg = compose([*WORDS, f"model.cache={tmp_path / 'cache'}", f"folder={run}"], config_dir=parts.CONF)
    check(cfg)

    def but_for_the_table(path: Path, text: str) -> None:
        (plainly if path.name == "table.md" else write)(path, text)

    places = [(Run, "save", in_rust), (ReplyWriter, "write", plainly), (folders, "write_atomic", but_for_the_table)]
    for owner, name, full in places:
        caplog.clear()
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, full)
            with pytest.raises(SystemExit, match="2"):
                entry.run(lambda: execute(cfg, base=cfg, baseline_configs={}))
        assert "No space left on device: free some disk space, and give the same command again" in caplog.text
        assert folders.read_state(run) == "started"
    with caplog.at_level(logging.INFO):
        entry.run(lambda: execute(cfg, base=cfg, baseline_configs={}))
    assert "resuming from step 1" in caplog.text
    assert folders.read_state(run) == "finished"
