"""Check that processes of a sweep end with it, however it ends, and that the same command then resumes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from circuitvlm.runtime.folders import run_folder as folders
from circuitvlm.training.sweep import child_process

TRIAL_PROGRAM = """
import multiprocessing, os, sys, time
from pathlib import Path
from omegaconf import OmegaConf
from circuitvlm.runtime.folders import run_folder as folders
from circuitvlm.training.sweep import child_process

child_process.exit_with_starter()
cfg, base = (OmegaConf.load(path) for path in sys.argv[1:3])
where = folders.run_folder(cfg, base)
with folders.open_run(where, cfg, base=base, overwrite=False) as found:
    if found == "new":
        worker = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
        worker.start()
        folders.write_atomic(where / "pids", f"{os.getpid()} {worker.pid}")
        try:
            time.sleep(60)
        except KeyboardInterrupt:
            (where / "interrupted").touch()
    folders.finish(where, {"found": found})
"""
"""Replaces a trial: it waits to be killed, with a worker of its own, and finishes when it is started again."""

SWEEP = """
import functools, multiprocessing, signal, sys
from omegaconf import OmegaConf
from circuitvlm.training.sweep import child_process, trial
signal.signal(signal.SIGINT, signal.default_int_handler)  # tests in a shell's background have it ignored
child_process.PROGRAM = (sys.executable, sys.argv[2])
base = OmegaConf.create({"folder": "", "overwrite": False, "name": "x", "runs": sys.argv[1], "rate": 1})
run = functools.partial(trial.run_trial, base, base=base, overrides=[])
if sys.argv[3] == "worker":  # as joblib's launcher runs it
    worker = multiprocessing.get_context("fork").Process(target=run)
    worker.start()
    worker.join()
    sys.exit(worker.exitcode)
run()
"""


@pytest.fixture
def sweep(tmp_path: Path, where: str) -> list[str]:
    """The command of a sweep of one trial, which it runs itself, or a worker of its."""
    (tmp_path / "trial_program.py").write_text(TRIAL_PROGRAM)
    return [sys.executable, "-c", SWEEP, str(tmp_path / "runs"), str(tmp_path / "trial_program.py"), where]


def wait_for(condition: object, *, seconds: float = 60.0) -> bool:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return bool(condition())


def runs(pid: int) -> bool:
    """False for one that is gone, and for one that is dead and not yet fetched by its parent."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not (status.is_file() and status.read_text().rpartition(")")[2].split()[0] == "Z")


@pytest.mark.parametrize(
    ("number", "where"),
    [
        (signal.SIGTERM, "here"),
        (signal.SIGINT, "here"),
        (signal.SIGINT, "group"),
        (signal.SIGKILL, "here"),
        (signal.SIGKILL, "worker"),
    ],
)
def test_a_killed_sweep_leaves_no_trial_alive_and_goes_on(
    number: signal.Signals, where: str, sweep: list[str], tmp_path: Path
) -> None:
    process = subprocess.Popen(sweep, stderr=subprocess.DEVNULL, start_new_session=True)
    assert wait_for(lambda: any((tmp_path / "runs").glob("x/*/pids")))
    (noted,) = (tmp_path / "runs").glob("x/*/pids")
    pids = [int(word) for word in noted.read_text().split()]
    assert all(map(runs, pids))
    if where == "group":  # as a terminal sends it
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    assert process.wait(timeout=30) != 0
    assert wait_for(lambda: not any(map(runs, pids)), seconds=5), "a trial, or its worker, outlives its sweep"
    assert folders.read_state(noted.parent) == "started"
    assert not (noted.parent / "interrupted").exists()
    again = subprocess.run(sweep, capture_output=True, text=True, timeout=60, check=False)
    assert again.returncode == 0, again.stderr
    assert '"found": "started"' in (noted.parent / folders.FINISHED_FILE).read_text()


def test_the_status_is_the_programs_and_its_variables_are_the_given_ones() -> None:
    code = "import os, sys; sys.exit(7 if 'PATH' not in os.environ and os.environ['ONE'] == '1' else 8)"
    assert child_process.run([sys.executable, "-c", code], env={"ONE": "1"}) == 7
    assert child_process.run([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]) == -9


def test_a_process_that_was_started_otherwise_does_not_care_for_its_input() -> None:
    code = (
        "import time; from circuitvlm.training.sweep import child_process; child_process.exit_with_starter();"
        "time.sleep(0.3); print('on')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "on\n"
