"""Check that workers end with the process that started them, and that only that process handles Ctrl-C."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.training.test_child_process import runs, wait_for

TASK = """
import os, pathlib, time

def work(folder):
    (pathlib.Path(folder) / str(os.getpid())).touch()
    time.sleep(60)
"""

MAIN = """
import pathlib, signal, sys
from circuitvlm.runtime import entry, worker
from task import work

def drawn(folder):
    with worker.pool(2) as pool:
        list(pool.map(work, 6 * [folder]))

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # tests in a shell's background have it ignored
    sys.argv[1:], folder = [], sys.argv[1]
    entry.run(lambda: drawn(folder))
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_the_process_that_began_them(number: signal.Signals, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    pids.mkdir()
    (tmp_path / "task.py").write_text(TASK)
    (tmp_path / "main.py").write_text(MAIN)
    words = [sys.executable, str(tmp_path / "main.py"), str(pids)]
    with subprocess.Popen(words, stderr=subprocess.PIPE, start_new_session=True, text=True) as process:
        assert wait_for(lambda: len(list(pids.iterdir())) == 2)
        if number is signal.SIGINT:
            os.killpg(process.pid, number)  # as a terminal says it
        else:
            process.kill()
        assert process.wait(timeout=30) == -number
        assert process.stderr is not None
        workers = [int(path.name) for path in pids.iterdir()]
        assert wait_for(lambda: not any(map(runs, workers)), seconds=10), "a worker outlives its parent"
        assert "Traceback" not in process.stderr.read(), "a worker told of an interruption that was its parent's"
