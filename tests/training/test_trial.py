"""Check that a sweep continues after a failed trial, and that the same command runs only what is missing."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from omegaconf import DictConfig, OmegaConf

from circuitvlm.runtime import entry
from circuitvlm.runtime.config.check import ConfigError
from circuitvlm.runtime.folders import run_folder as folders
from circuitvlm.runtime.folders.lock import FolderLockedError, lock_folder
from circuitvlm.runtime.folders.outcome import PRUNED_FILE, read_outcome, read_validations
from circuitvlm.runtime.folders.saved_file import FolderError
from circuitvlm.training import execute
from circuitvlm.training.checkpoint.stop_request import STOP_STATUS
from circuitvlm.training.sweep import child_process, trial

ROOT = Path(__file__).parents[2]
SWEEP = (
    "-m",
    "experiment=tiny_circuits",
    "smoke_test=true",
    "eval_items=2",
    "num_workers=0",
    "data.circuits.num_workers=0",
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
    states = {folders.read_state(path): path for path in runs.iterdir() if path.is_dir()}
    assert set(states) == {"finished", "started"}, done.stdout[-3000:] + done.stderr[-3000:]
    assert "model.max_tokens=4" in (states["started"] / folders.FAILED_FILE).read_text()
    assert not (states["finished"] / folders.FAILED_FILE).exists()
    assert "model.max_tokens=512" in folders.read_overrides(states["finished"])
    assert done.returncode == 1, "a sweep with a failed trial does not end well"
    assert "1 of 2 trials finished, 1 failed" in done.stderr
    (noted,) = read_validations(states["finished"])
    assert noted["validate/loss"] > 0


def small(runs: Path, *, rate: int) -> DictConfig:
    return OmegaConf.create({"folder": "", "overwrite": False, "name": "x", "runs": str(runs), "rate": rate})


@pytest.fixture
def started(tmp_path: Path) -> Path:
    where = folders.run_folder(small(tmp_path, rate=2), small(tmp_path, rate=1))
    folders.prepare(where, small(tmp_path, rate=2), base=small(tmp_path, rate=1), overwrite=False)
    return where


def test_a_finished_trial_is_not_run_again_unless_its_experiment_was_edited(
    started: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders.finish(started, {})
    monkeypatch.setattr(child_process, "run", lambda *args, **given: pytest.fail("a process was started"))
    cfg, base = small(tmp_path, rate=2), small(tmp_path, rate=1)
    assert trial.run_trial(cfg, base=base, overrides=[]) == started
    (started / folders.CONFIG_FILE).write_text(folders.as_yaml(OmegaConf.merge(cfg, {"max_steps": 7})))
    with pytest.raises(FolderError, match="max_steps"):
        trial.run_trial(cfg, base=base, overrides=[])


def test_a_trial_that_is_killed_says_so(started: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (started / folders.FAILED_FILE).write_text("an earlier try")
    monkeypatch.setattr(child_process, "run", lambda *args, **given: -9)
    with pytest.raises(trial.TrialError, match="killed by signal 9"):
        trial.run_trial(small(tmp_path, rate=2), base=small(tmp_path, rate=1), overrides=[])
    assert "signal 9" in (started / folders.FAILED_FILE).read_text()


@pytest.mark.parametrize("status", [STOP_STATUS, -signal.SIGTERM])
def test_a_trial_that_was_asked_to_stop_has_not_failed(
    status: int, started: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_process, "run", lambda *args, **given: status)
    cfg, base = small(tmp_path, rate=2), small(tmp_path, rate=1)
    with pytest.raises(trial.StoppedError, match="asked to stop"):
        trial.run_trial(cfg, base=base, overrides=[])
    assert read_outcome(started).state == "not finished"


def test_a_run_that_goes_on_says_no_longer_why_an_earlier_try_ended(started: Path) -> None:
    for word in (PRUNED_FILE, folders.FAILED_FILE):
        (started / word).write_text("an earlier try")

    def train() -> None:
        assert read_outcome(started).state == "not finished"
        raise InterruptedError

    run = SimpleNamespace(folder=started, fingerprints=dict, train=train)
    with pytest.raises(InterruptedError):
        execute._train_and_compare(run, baseline_configs={}, overrides=[])  # type: ignore[arg-type]  # it has what is asked for first


def test_a_trial_that_another_process_is_at_work_on_is_left_alone(
    started: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_process, "run", lambda *args, **given: pytest.fail("a process was started"))
    (started / folders.FAILED_FILE).write_text("its own")
    with lock_folder(started):
        with pytest.raises(FolderLockedError, match=f"process {os.getpid()} on "):
            trial.run_trial(small(tmp_path, rate=2), base=small(tmp_path, rate=1), overrides=[])
        trial.write_failure(started, "not mine")
        monkeypatch.setattr(trial, "check", lambda cfg: None)
        with pytest.raises(trial.StoppedError, match=f"process {os.getpid()} on "):  # no failure, which a study counts
            trial.attempt_trial(small(tmp_path, rate=2), base=small(tmp_path, rate=1), overrides=[], sweeper={})
    assert (started / folders.FAILED_FILE).read_text() == "its own"


def test_a_trial_that_fails_before_its_folder_is_begun_says_so_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cfg, base = small(tmp_path, rate=2), small(tmp_path, rate=1)
    where = folders.run_folder(cfg, base)
    monkeypatch.setattr(child_process, "run", lambda *args, **given: 1)
    with pytest.raises(trial.TrialError, match="ended with status 1"):
        trial.run_trial(cfg, base=base, overrides=["rate=2"])
    assert folders.read_state(where) == "started"
    assert read_outcome(where).state == "failed"
    assert folders.read_overrides(where) == ["rate=2"]
    assert folders.read_difference(where) == {"rate": 2}
    monkeypatch.setattr(child_process, "run", lambda *args, **given: folders.finish(where, {}) or 0)  # type: ignore[func-returns-value]  # it returns None
    assert trial.run_trial(cfg, base=base, overrides=["rate=2"]) == where, "the same command tries it again"
    assert not (where / folders.FAILED_FILE).exists()


def test_a_trial_with_a_faulty_config_is_recorded_and_no_process_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def faulty(cfg: object) -> None:
        raise ConfigError(["rate: expected more than 0"])

    monkeypatch.setattr(trial, "check", faulty)
    monkeypatch.setattr(child_process, "run", lambda *args, **given: pytest.fail("a process was started"))
    cfg, base = small(tmp_path, rate=-1), small(tmp_path, rate=1)
    with pytest.raises(trial.TrialError, match="rate: expected more than 0") as failed:
        trial.attempt_trial(cfg, base=base, overrides=["rate=-1"], sweeper={})
    where = folders.run_folder(cfg, base)
    assert "rate: expected more than 0" in (where / folders.FAILED_FILE).read_text()
    again = pickle.loads(pickle.dumps(failed.value))
    assert str(again) == str(failed.value), "a launcher's processes hand it over"


def test_a_pruned_trial_is_not_tried_again_by_its_own_sweep(
    started: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cfg, base = small(tmp_path, rate=2), small(tmp_path, rate=1)
    (started / PRUNED_FILE).write_text("trial 3 of study: step 1: hopeless\n")
    begun: list[object] = []
    monkeypatch.setattr(child_process, "run", lambda *args, **given: begun.append(args) or 0)
    trial.run_trial(cfg, base=base, overrides=[], pruning={"folder": "study", "trial": 3})
    assert not begun
    trial.run_trial(cfg, base=base, overrides=[], pruning={"folder": "study", "trial": 4})
    assert begun
    assert not (started / PRUNED_FILE).exists(), "another trial, or a person, trains it to its end"


def test_a_trial_that_was_pruned_has_not_failed_though_a_rank_was_killed(
    started: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = "trial 3 of study: step 1: hopeless\n"
    path = started / PRUNED_FILE
    monkeypatch.setattr(child_process, "run", lambda *args, **given: -9 * bool(path.write_text(told)))
    pruning = {"folder": "study", "trial": 3}
    cfg, base = small(tmp_path, rate=2), small(tmp_path, rate=1)
    assert trial.run_trial(cfg, base=base, overrides=[], pruning=pruning) == started
    assert read_outcome(started).state == "pruned"


def test_under_a_launcher_each_trial_has_as_many_processes_and_none_of_its_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cfg, given = small(tmp_path, rate=1), {}

    def noted(words: list[str], *, env: dict[str, str]) -> int:
        given.update(words=words, env=env)
        return 0

    monkeypatch.setattr(child_process, "run", noted)
    for name, value in {
        "WORLD_SIZE": "2",
        "RANK": "0",
        "LOCAL_RANK": "0",
        "MASTER_PORT": "1",
        "SLURM_NTASKS": "2",
    }.items():
        monkeypatch.setenv(name, value)
    trial.run_trial(cfg, base=cfg, overrides=[])
    assert "--nproc_per_node=2" in given["words"]
    assert "torch.distributed.run" in given["words"]
    assert not {"WORLD_SIZE", "RANK", "LOCAL_RANK", "MASTER_PORT", "SLURM_NTASKS"} & given["env"].keys()
    assert "PATH" in given["env"]
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "1")
    with pytest.raises(ConfigError, match="one node"):
        trial.run_trial(cfg, base=cfg, overrides=[])


def test_trials_cannot_share_a_folder_nor_have_several_nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cfg = OmegaConf.merge(small(tmp_path, rate=1), {"folder": str(tmp_path / "out")})
    monkeypatch.setattr(trial, "check", lambda cfg: None)
    with pytest.raises(trial.TrialError, match="runs=FOLDER"):
        trial.attempt_trial(cfg, base=cfg, overrides=[], sweeper={})
    assert not (tmp_path / "out").exists(), "no trial failed there: it is, or will be, a run of its own"
    cfg = OmegaConf.merge(small(tmp_path, rate=1), {"trainer": {"num_nodes": 2}})
    with pytest.raises(ConfigError, match="one node"):
        trial.run_trial(cfg, base=cfg, overrides=[])


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["-m", "seed=0,1"], True),
        (["seed=0,1", "--multirun"], True),
        (["hydra.mode=MULTIRUN", "seed=0,1"], True),
        (["seed=0"], False),
        (["--cfg", "job", "name=-m"], False),
    ],
)
def test_a_sweep_is_told_by_its_command_line(words: list[str], wanted: bool) -> None:
    assert entry.is_sweep(words) is wanted


def test_only_rank_0_sweeps_and_what_the_launcher_adds_is_not_hydras(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []
    for rank, words in (("1", ["-m", "seed=0,1"]), ("0", ["--local_rank=0", "-m", "seed=0,1"]), ("1", ["seed=0"])):
        monkeypatch.setattr(sys, "argv", ["train.py", *words])
        monkeypatch.setenv("RANK", rank)
        entry.run(lambda: ran.append(sys.argv[1:]))
    assert ran == [["-m", "seed=0,1"], ["seed=0"]]


def test_a_sweep_with_failed_trials_ends_with_status_1_and_in_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def failed() -> None:
        raise entry.ReportedError("6 of 8 trials finished, 2 failed")

    monkeypatch.setattr(sys, "argv", ["train.py"])
    with pytest.raises(SystemExit) as ended:
        entry.run(failed)
    assert ended.value.code == 1
    assert "2 failed" in capsys.readouterr().err


def test_an_interrupted_command_says_what_the_same_one_does_and_ends_by_the_signal() -> None:
    code = (
        "import os, pathlib, signal\n"
        "from circuitvlm.runtime import entry\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "entry.run(lambda: os.kill(os.getpid(), signal.SIGINT))\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == -signal.SIGINT
    assert "interrupted; the same command resumes" in ended.stderr
    assert "Traceback" not in ended.stderr
