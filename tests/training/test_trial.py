"""Does a sweep survive a trial that fails, and does the same command run only what is missing?"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf

from circuitvlm.runtime import folder as folders
from circuitvlm.runtime.check import ConfigError
from circuitvlm.runtime.lock import HeldError, held
from circuitvlm.training import child, trial

ROOT = Path(__file__).parents[2]
SWEEP = (
    "-m",
    "experiment=tiny_circuits",
    "standin=true",
    "evaluate_items=2",
    "workers=0",
    "data.circuits.workers=0",
    "logger=csv",
    "model.max_tokens=512,4",  # no dialogue fits four tokens
)


def sweep(runs: Path, cache: Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, str(ROOT / "train.py"), *SWEEP, f"runs={runs}"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CIRCUITVLM_CACHE": str(cache)}
    return subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=400, check=False)


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    runs = tmp_path_factory.mktemp("sweep")
    done = sweep(runs, runs / "cache")
    assert "Traceback" not in done.stdout, done.stdout[-3000:]
    return runs / "tiny_circuits", done


def test_a_trial_that_fails_says_why_and_ends_no_other(swept: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    runs, done = swept
    states = {folders.state(path): path for path in runs.iterdir() if path.is_dir()}
    assert set(states) == {"finished", "started"}, done.stdout[-3000:] + done.stderr[-3000:]
    assert "model.max_tokens=4" in (states["started"] / folders.FAILED).read_text()
    assert not (states["finished"] / folders.FAILED).exists()
    assert "model.max_tokens=512" in folders.read_overrides(states["finished"])
    assert done.returncode != 0, "a sweep with a failed trial does not end well"


def small(runs: Path, *, rate: int) -> DictConfig:
    return OmegaConf.create({"folder": "", "fresh": False, "name": "x", "runs": str(runs), "rate": rate})


@pytest.fixture
def started(tmp_path: Path) -> Path:
    where = folders.run_folder(small(tmp_path, rate=2), small(tmp_path, rate=1))
    folders.start(where, small(tmp_path, rate=2), base=small(tmp_path, rate=1), fresh=False)
    return where


def test_a_finished_trial_is_not_run_again_unless_its_experiment_was_edited(
    started: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders.finish(started, {})
    monkeypatch.setattr(child, "run", lambda *args, **given: pytest.fail("a process was started"))
    cfg, base = small(tmp_path, rate=2), small(tmp_path, rate=1)
    assert trial.run_trial(cfg, base=base, overrides=[]) == started
    (started / folders.CONFIG).write_text(folders.as_yaml(OmegaConf.merge(cfg, {"steps": 7})))
    with pytest.raises(folders.FolderError, match="steps"):
        trial.run_trial(cfg, base=base, overrides=[])


def test_a_trial_that_is_killed_says_so(started: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (started / folders.FAILED).write_text("an earlier try")
    monkeypatch.setattr(child, "run", lambda *args, **given: -9)
    with pytest.raises(trial.TrialError, match="status -9"):
        trial.run_trial(small(tmp_path, rate=2), base=small(tmp_path, rate=1), overrides=[])
    assert "signal 9" in (started / folders.FAILED).read_text()


def test_a_trial_that_another_process_is_at_work_on_is_left_alone(
    started: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "run", lambda *args, **given: pytest.fail("a process was started"))
    (started / folders.FAILED).write_text("its own")
    with held(started):
        with pytest.raises(HeldError, match=f"process {os.getpid()} on "):
            trial.run_trial(small(tmp_path, rate=2), base=small(tmp_path, rate=1), overrides=[])
        trial.note_failure(started, "not mine")
    assert (started / folders.FAILED).read_text() == "its own"


def test_trials_cannot_share_a_folder_nor_a_launcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cfg = OmegaConf.merge(small(tmp_path, rate=1), {"folder": "out"})
    with pytest.raises(ConfigError, match="runs=FOLDER"):
        trial.run_trial(cfg, base=cfg, overrides=[])
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="torchrun"):
        trial.run_trial(small(tmp_path, rate=1), base=cfg, overrides=[])
