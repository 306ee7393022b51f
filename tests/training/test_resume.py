"""Does a killed run go on where it stopped, and does a finished one do nothing?"""

from __future__ import annotations

import logging
import os
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors.torch import load_file

from circuitvlm.runtime import folder as folders
from tests.training.test_ranks import ROOT, SMALL

STEPS = ("steps=8", "checkpoint_every=2", "micro_batch=4", "validate_every=8")


def start(folder: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CIRCUITVLM_CACHE": str(folder.parent / "cache")}
    words = [sys.executable, str(ROOT / "train.py"), *SMALL, *STEPS, f"folder={folder}"]
    return subprocess.Popen(words, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def kill_after_first_checkpoint(folder: Path) -> None:
    process = start(folder)
    deadline = time.monotonic() + 120
    while not (folder / "last.ckpt").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (folder / "last.ckpt").exists(), "the run ended before its first checkpoint"
    assert not (folder / "finished.json").exists(), "the run was too quick to be killed"


def train(folder: Path, *words: str) -> None:
    """train.py in this process, which has imported torch already."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CIRCUITVLM_CACHE", str(folder.parent / "cache"))
        patch.setattr(logging.root, "handlers", list(logging.root.handlers))  # Hydra puts its own in their place
        patch.setattr(sys, "argv", ["train.py", *SMALL, *STEPS, f"folder={folder}", *words])
        runpy.run_path(str(ROOT / "train.py"), run_name="__main__")


def test_a_killed_run_ends_with_the_same_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    train(whole)
    kill_after_first_checkpoint(killed)
    train(killed)
    first, second = (load_file(f / "adapter" / "adapter_model.safetensors") for f in (whole, killed))
    assert all(bool((first[name] == second[name]).all()) for name in first)
    assert_finished_does_nothing(killed, capsys)


def assert_finished_does_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    train(folder)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()} == files
    with pytest.raises(SystemExit, match="2"):
        train(folder, "seed=1")
    assert "holds a run of other science" in capsys.readouterr().err
    train(folder, "seed=1", "fresh=true", "steps=1")
    assert folders.read_config(folder).seed == 1
