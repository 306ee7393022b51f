"""Check that two processes cannot write into one run's folder, and that an ended process locks nothing."""

from __future__ import annotations

import errno
import logging
import multiprocessing
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from omegaconf import DictConfig

from circuitvlm.runtime.folders import lock
from circuitvlm.runtime.folders import run_folder as f
from circuitvlm.runtime.folders.lock import LOCK_FILE, FolderLockedError, lock_folder
from circuitvlm.runtime.folders.saved_file import FolderError

HOLDER = """
import os, signal, sys, time
from pathlib import Path
from circuitvlm.runtime.folders.lock import lock_folder
signal.signal(signal.SIGINT, signal.default_int_handler)  # tests in a shell's background have it ignored
with lock_folder(Path(sys.argv[1])):
    print("locked", flush=True)
    if "forked" in sys.argv and os.fork() == 0:
        print(os.getpid(), flush=True)
        time.sleep(60)
    sys.stdin.read()
"""


@contextmanager
def locking_process(folder: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """A second process that holds the folder until its standard input is closed."""
    command = [sys.executable, "-c", HOLDER, str(folder), *words]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_folder_is_held_by_one_process_which_is_named(tmp_path: Path) -> None:
    with locking_process(tmp_path / "run") as process:
        with (
            pytest.raises(FolderLockedError, match=f"run: .* process {process.pid} on {platform.node()}; wait"),
            lock_folder(tmp_path / "run"),
        ):
            pytest.fail("locked twice")
        with lock_folder(tmp_path / "other"):
            pass
        process.communicate()
        with lock_folder(tmp_path / "run"):
            pass
    assert list((tmp_path / "run").iterdir()) == [], "what is let go leaves no file"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_death_lets_go_and_leaves_a_file_that_holds_nothing(number: signal.Signals, tmp_path: Path) -> None:
    with locking_process(tmp_path) as process:
        process.send_signal(number)
        process.wait(timeout=20)
    if number == signal.SIGKILL:
        assert (tmp_path / LOCK_FILE).is_file()
    with lock_folder(tmp_path):
        assert (tmp_path / LOCK_FILE).read_text() == f"process {os.getpid()} on {platform.node()}"


def test_a_file_that_lies_there_holds_nothing(tmp_path: Path) -> None:
    (tmp_path / LOCK_FILE).write_text(f"process {os.getppid()} on {platform.node()}" * 50)
    with lock_folder(tmp_path):
        assert (tmp_path / LOCK_FILE).read_text() == f"process {os.getpid()} on {platform.node()}"


def test_a_forked_worker_that_outlives_its_parent_holds_nothing(tmp_path: Path) -> None:
    with locking_process(tmp_path, "forked") as process:
        assert process.stdout is not None
        worker = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=20)
        try:
            os.kill(worker, 0)
            with lock_folder(tmp_path):
                pass
        finally:
            os.kill(worker, signal.SIGKILL)


def _hold_often(folder: str, deadline: float) -> None:
    """Whoever holds the folder is alone in it, and says so: two at once would find each other's file."""
    alone = Path(folder, "alone")
    while time.monotonic() < deadline:
        try:
            with lock_folder(Path(folder)):
                alone.open("x").close()
                alone.unlink()
        except FolderLockedError:
            continue


def test_never_are_there_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Letting go removes the file: whoever has opened it before must not take it for the folder's."""
    monkeypatch.setattr(lock, "_WRITE_SECONDS", 0.0)
    processes = [
        multiprocessing.get_context("fork").Process(target=_hold_often, args=(str(tmp_path), time.monotonic() + 1.0))
        for _ in range(4)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]


def test_where_there_are_no_locks_that_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr(lock, "_flock", refuse)
    lock._warn.cache_clear()
    descriptor_count = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else 0
    with (
        caplog.at_level(logging.WARNING),
        lock_folder(tmp_path / "a"),
        lock_folder(tmp_path / "a"),
        lock_folder(tmp_path / "b"),
    ):
        assert sum("cannot be locked here" in record.message for record in caplog.records) == 1
    assert list(tmp_path.rglob(LOCK_FILE)) == []
    assert (len(os.listdir("/proc/self/fd")) if descriptor_count else 0) == descriptor_count


# -------------------------------------------------------------------------------------------------- the folder of a run


def test_a_run_that_goes_on_elsewhere_is_neither_continued_nor_deleted(cfg: DictConfig, tmp_path: Path) -> None:
    run = tmp_path / "run"
    with f.open_run(run, cfg, base=cfg, overwrite=False) as state:
        assert state == "new"
        assert f.read_state(run) == "started"
    with locking_process(run):
        for overwrite in (False, True):
            with (
                pytest.raises(FolderLockedError, match="that no other process writes into"),
                f.open_run(run, cfg, base=cfg, overwrite=overwrite),
            ):
                pytest.fail("started")
        with pytest.raises(FolderLockedError):
            f.prepare(run, cfg, base=cfg, overwrite=True)
    assert f.read_state(run) == "started"
    with f.open_run(run, cfg, base=cfg, overwrite=False) as state:
        assert state == "started"


def test_a_run_that_begins_again_holds_its_new_folder(cfg: DictConfig, tmp_path: Path) -> None:
    run = tmp_path / "run"
    with f.open_run(run, cfg, base=cfg, overwrite=False):
        f.finish(run, {})
    with f.open_run(run, cfg, base=cfg, overwrite=True) as state:
        assert (state, f.read_state(run)) == ("new", "started")
        with pytest.raises(FolderLockedError), lock_folder(run):
            pytest.fail("locked twice")
    assert [path.name for path in tmp_path.iterdir() if "deleting" in path.name] == []


def test_a_finished_run_may_be_looked_at_while_it_is_held(cfg: DictConfig, tmp_path: Path) -> None:
    run = tmp_path / "run"
    with f.open_run(run, cfg, base=cfg, overwrite=False):
        f.finish(run, {})
        with f.open_run(run, cfg, base=cfg, overwrite=False) as state:
            assert state == "finished"


def test_other_ranks_hold_nothing(cfg: DictConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tmp_path / "run"
    with f.open_run(run, cfg, base=cfg, overwrite=False):
        monkeypatch.setenv("RANK", "1")
        with f.open_run(run, cfg, base=cfg, overwrite=False) as state:
            assert state == "started"
        monkeypatch.setenv("RANK", "0")


def test_a_kill_between_lock_and_marker_can_be_started_again(cfg: DictConfig, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / LOCK_FILE).write_text("process 1 on nowhere")
    with f.open_run(tmp_path / "run", cfg, base=cfg, overwrite=False) as state:
        assert state == "new"


def test_nobody_elses_folder_gets_a_lock(cfg: DictConfig, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "thesis.tex").write_text("years of work")
    time_before = home.stat().st_mtime_ns
    for overwrite in (False, True):
        with (
            pytest.raises(FolderError, match="expected an empty folder or the folder of a run"),
            f.open_run(home, cfg, base=cfg, overwrite=overwrite),
        ):
            pytest.fail("started")
    assert home.stat().st_mtime_ns == time_before
