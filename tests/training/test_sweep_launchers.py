"""Check eight trials, two of which fail, under each launcher, and that a killed study resumes (minutes)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from circuitvlm.runtime.folders import run_folder as folders
from circuitvlm.runtime.folders.outcome import read_outcome

ROOT = Path(__file__).parents[2]
SMALL = (
    *("experiment=tiny_circuits", "smoke_test=true", "eval_items=2", "eval_splits=[test_seen]", "num_workers=0"),
    *("data.circuits.num_workers=0", "logger=csv"),
)
EIGHT = ("model.max_tokens=512,511,510,4", "seed=0,1")  # no dialogue fits four tokens
PYTHON = (sys.executable,)
TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2")
DDP = ("trainer=ddp", "micro_batch_size=16", "trainer.accelerator=cpu", "trainer.devices=2")
pytestmark = pytest.mark.slow


def command(runs: Path, *words: str, python: tuple[str, ...] = PYTHON) -> list[str]:
    return [*python, str(ROOT / "train.py"), "-m", *SMALL, f"runs={runs}", f"hydra.sweep.dir={runs}/hydra", *words]


def environment(runs: Path) -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "CIRCUITVLM_CACHE": str(runs / "cache")}


def swept(runs: Path, *words: str, python: tuple[str, ...] = PYTHON) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(runs, *words, python=python),
        cwd=ROOT,
        env=environment(runs),
        capture_output=True,
        text=True,
        timeout=3000,
        check=False,
    )


def states(runs: Path) -> list[str]:
    """How each trial ended."""
    found = (path for path in (runs / "tiny_circuits").iterdir() if (path / folders.MARKER_FILE).is_file())
    return sorted(read_outcome(path).state for path in found)


@pytest.mark.parametrize(
    ("python", "words"),
    [
        (PYTHON, ()),
        (PYTHON, ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2")),
        (PYTHON, ("hydra/launcher=submitit_local", "hydra.sweeper.max_batch_size=2")),
        (PYTHON, DDP),
        (TORCHRUN, DDP),
    ],
    ids=["basic", "joblib", "submitit", "ddp", "torchrun"],
)
def test_of_eight_trials_two_fail_and_six_finish(
    python: tuple[str, ...], words: tuple[str, ...], tmp_path: Path
) -> None:
    if any("launcher" in word for word in words):
        pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
        pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    done = swept(tmp_path, *words, *EIGHT, python=python)
    assert done.returncode == 1, done.stdout[-3000:] + done.stderr[-3000:]
    assert states(tmp_path) == 2 * ["failed"] + 6 * ["finished"]
    assert done.stderr.count("6 of 8 trials finished, 2 failed") == 1, "rank 0 alone sweeps"
    if words:
        return  # what the same command does is the sweeper's, whatever launches its trials
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("tiny_circuits/*/finished.json")}
    swept(tmp_path, *words, *EIGHT, python=python)
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.glob("tiny_circuits/*/finished.json")}


def test_a_killed_study_goes_on_with_the_same_command(tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    words = ("hydra/sweeper=optuna", "hydra.sweeper.n_trials=4", "hydra.sweeper.prune_after=1")
    words = (*words, "optimizer.lr=tag(log, interval(1e-5, 1e-1))", "model.max_tokens=512,4")
    with subprocess.Popen(command(tmp_path, *words), cwd=ROOT, env=environment(tmp_path)) as process:
        deadline = time.monotonic() + 600
        while not any(tmp_path.glob("tiny_circuits/*/config.yaml")) and time.monotonic() < deadline:
            time.sleep(0.1)
        process.send_signal(signal.SIGKILL)
    done = swept(tmp_path, *words)
    assert "0 of 4 trials are done" in done.stdout + done.stderr
    assert " of 4 trials finished" in done.stdout + done.stderr
    ended = states(tmp_path)
    assert len(ended) <= 4, "what was interrupted went on in its own folder"
    assert "not finished" not in ended
    again = swept(tmp_path, *words)
    assert "4 of 4 trials are done" in again.stdout + again.stderr
    assert states(tmp_path) == ended
