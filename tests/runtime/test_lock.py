"""Do two processes of one command keep out of each other's folder, and does a dead one keep nobody out?"""

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
from circuitvlm.runtime.folders.lock import LOCK, HeldError, held

HOLDER = """
import os, signal, sys, time
from pathlib import Path
from circuitvlm.runtime.folders.lock import held
signal.signal(signal.SIGINT, signal.default_int_handler)  # tests in a shell's background have it ignored
with held(Path(sys.argv[1])):
    print("held", flush=True)
    if "forked" in sys.argv and os.fork() == 0:
        print(os.getpid(), flush=True)
        time.sleep(60)
    sys.stdin.read()
"""


@contextmanager
def another(folder: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """A second process that holds the folder until its standard input is closed."""
    command = [sys.executable, "-c", HOLDER, str(folder), *words]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_folder_is_held_by_one_process_which_is_named(tmp_path: Path) -> None:
    with another(tmp_path / "run") as process:
        with (
            pytest.raises(HeldError, match=f"run is being written by process {process.pid} on {platform.node()}: wait"),
            held(tmp_path / "run"),
        ):
            pytest.fail("held by two")
        with held(tmp_path / "other"):
            pass
        process.communicate()
        with held(tmp_path / "run"):
            pass
    assert list((tmp_path / "run").iterdir()) == [], "what is let go leaves no file"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_death_lets_go_and_leaves_a_file_that_holds_nothing(number: signal.Signals, tmp_path: Path) -> None:
    with another(tmp_path) as process:
        process.send_signal(number)
        process.wait(timeout=20)
    if number == signal.SIGKILL:
        assert (tmp_path / LOCK).is_file()
    with held(tmp_path):
        assert (tmp_path / LOCK).read_text() == f"process {os.getpid()} on {platform.node()}"


def test_a_file_that_lies_there_holds_nothing(tmp_path: Path) -> None:
    (tmp_path / LOCK).write_text(f"process {os.getppid()} on {platform.node()}" * 50)
    with held(tmp_path):
        assert (tmp_path / LOCK).read_text() == f"process {os.getpid()} on {platform.node()}"


def test_a_forked_worker_that_outlives_its_parent_holds_nothing(tmp_path: Path) -> None:
    with another(tmp_path, "forked") as process:
        assert process.stdout is not None
        worker = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=20)
        try:
            os.kill(worker, 0)
            with held(tmp_path):
                pass
        finally:
            os.kill(worker, signal.SIGKILL)


def _hold_often(folder: str, until: float) -> None:
    """Whoever holds the folder is alone in it, and says so: two at once would find each other's file."""
    alone = Path(folder, "alone")
    while time.monotonic() < until:
        try:
            with held(Path(folder)):
                alone.open("x").close()
                alone.unlink()
        except HeldError:
            continue


def test_never_are_there_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Letting go removes the file: whoever has opened it before must not take it for the folder's."""
    monkeypatch.setattr(lock, "_MOMENT", 0.0)
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
    def unsupported(descriptor: int) -> None:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr(lock, "_flock", unsupported)
    lock._warn.cache_clear()
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else 0
    with caplog.at_level(logging.WARNING), held(tmp_path / "a"), held(tmp_path / "a"), held(tmp_path / "b"):
        assert sum("cannot be locked here" in record.message for record in caplog.records) == 1
    assert list(tmp_path.rglob(LOCK)) == []
    assert (len(os.listdir("/proc/self/fd")) if before else 0) == before


# -------------------------------------------------------------------------------------------------- the folder of a run


def test_a_run_that_goes_on_elsewhere_is_neither_continued_nor_deleted(cfg: DictConfig, tmp_path: Path) -> None:
    run = tmp_path / "run"
    with f.begun(run, cfg, base=cfg, fresh=False) as found:
        assert found == "new"
        assert f.state(run) == "started"
    with another(run):
        for fresh in (False, True):
            with pytest.raises(HeldError, match="is being written"), f.begun(run, cfg, base=cfg, fresh=fresh):
                pytest.fail("begun")
        with pytest.raises(HeldError):
            f.start(run, cfg, base=cfg, fresh=True)
    assert f.state(run) == "started"
    with f.begun(run, cfg, base=cfg, fresh=False) as found:
        assert found == "started"


def test_a_run_that_begins_again_holds_its_new_folder(cfg: DictConfig, tmp_path: Path) -> None:
    run = tmp_path / "run"
    with f.begun(run, cfg, base=cfg, fresh=False):
        f.finish(run, {})
    with f.begun(run, cfg, base=cfg, fresh=True) as found:
        assert (found, f.state(run)) == ("new", "started")
        with pytest.raises(HeldError), held(run):
            pytest.fail("held by two")
    assert [path.name for path in tmp_path.iterdir() if "deleting" in path.name] == []


def test_a_finished_run_may_be_looked_at_while_it_is_held(cfg: DictConfig, tmp_path: Path) -> None:
    run = tmp_path / "run"
    with f.begun(run, cfg, base=cfg, fresh=False):
        f.finish(run, {})
        with f.begun(run, cfg, base=cfg, fresh=False) as found:
            assert found == "finished"


def test_other_ranks_hold_nothing(cfg: DictConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tmp_path / "run"
    with f.begun(run, cfg, base=cfg, fresh=False):
        monkeypatch.setenv("RANK", "1")
        with f.begun(run, cfg, base=cfg, fresh=False) as found:
            assert found == "started"
        monkeypatch.setenv("RANK", "0")


def test_a_kill_between_lock_and_marker_can_be_started_again(cfg: DictConfig, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / LOCK).write_text("process 1 on nowhere")
    with f.begun(tmp_path / "run", cfg, base=cfg, fresh=False) as found:
        assert found == "new"


def test_nobody_elses_folder_gets_a_lock(cfg: DictConfig, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "thesis.tex").write_text("years of work")
    before = home.stat().st_mtime_ns
    for fresh in (False, True):
        with pytest.raises(f.FolderError, match="not the folder of a run"), f.begun(home, cfg, base=cfg, fresh=fresh):
            pytest.fail("begun")
    assert home.stat().st_mtime_ns == before
