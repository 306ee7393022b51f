"""Start a run as a child process that ends together with its starter, by a pipe that only the starter holds open."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress

from circuitvlm.runtime.worker import end_with_parent
from circuitvlm.training.checkpoint.stop_request import STOP_STATUS

PROGRAM = (sys.executable, "-m", "circuitvlm.training.execute")
LAUNCHER_PREFIXES = (
    *("TORCHELASTIC_", "GROUP_", "ROLE_", "MASTER_", "SLURM_", "LOCAL_", "CROSS_"),
    *("RANK", "WORLD_SIZE", "NODE_RANK"),
)
"""Prefixes of the environment variables by which a launcher tells a process its rank."""

PIPE_VARIABLE = "CIRCUITVLM_STARTER_PIPE"
"""The environment variable of processes, and of the ranks that they launch, whose standard input is such a pipe."""

GRACE_SECONDS = 5.0
"""Seconds in which an interrupted program may end by itself."""


def environment_without_launcher() -> dict[str, str]:
    """This process's environment without its launcher's variables, for a program with ranks of its own."""
    return {key: value for key, value in os.environ.items() if not key.startswith(LAUNCHER_PREFIXES)}


def command(processes: int) -> tuple[str, ...]:
    """The command that runs a resolved config in one process, or in several ranks, which meet at a free port."""
    if processes == 1:
        return PROGRAM
    return (
        *(PROGRAM[0], "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"),
        *PROGRAM[1:],
    )


def run(arguments: Sequence[str], *, env: Mapping[str, str] | None = None) -> int:
    """Start a program, wait for it, and return its status: minus the signal where it was killed.

    `env` replaces this process's environment. However this process ends, the kernel then closes its end of the pipe,
    and a program that has called `exit_with_starter` ends too. Where this process is a worker of a launcher (joblib's),
    it ends with that launcher.
    """
    end_with_parent()  # a launcher's worker would train on without its sweep
    variables = {**(os.environ if env is None else env), PIPE_VARIABLE: "1"}
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, env=variables) as process:
        try:
            return process.wait()
        finally:
            _end(process)  # after an interrupt; nothing for a process that has ended


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let it end by itself, with its workers, or kill it."""
    assert process.stdin is not None, "it was started with a pipe"
    process.stdin.close()
    try:
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=GRACE_SECONDS)
    finally:
        process.kill()


def exit_with_starter() -> None:
    """Exit as soon as the process exits that has started this one by `run`; nothing in a process started otherwise.

    Ctrl-C is left to the starter: at a terminal it reaches both, and would interrupt this one while it writes a file.
    """
    if PIPE_VARIABLE in os.environ:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        threading.Thread(target=_watch_pipe, name="starter", daemon=True).start()


def _watch_pipe() -> None:
    """Exit when reading ends: nothing is written into the pipe, so its other end is then closed.

    There is no clean-up, which could take as long as a batch: a killed run resumes from its last checkpoint.
    """
    while os.read(0, 1):
        pass
    try:
        for worker in multiprocessing.active_children():
            worker.kill()
    finally:
        os._exit(STOP_STATUS)
