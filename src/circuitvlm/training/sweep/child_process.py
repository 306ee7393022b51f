"""How does a process that a run starts end with it? It watches a pipe that only its starter holds open."""

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
from circuitvlm.training.checkpoint.stop import ASKED

PROGRAM = (sys.executable, "-m", "circuitvlm.training.execute")
LAUNCHER = (
    *("TORCHELASTIC_", "GROUP_", "ROLE_", "MASTER_", "SLURM_", "LOCAL_", "CROSS_"),
    *("RANK", "WORLD_SIZE", "NODE_RANK"),
)
"""Beginnings of the variables with which a launcher tells a process its rank."""

WATCHES = "CIRCUITVLM_WATCHES_ITS_STARTER"
"""The variable that tells a process, and the ranks that it launches, that their standard input is such a pipe."""

GRACE = 5.0
"""Seconds in which an interrupted program may end by itself."""


def alone() -> dict[str, str]:
    """This process's variables without what its launcher told it: those of a program that has ranks of its own."""
    return {key: value for key, value in os.environ.items() if not key.startswith(LAUNCHER)}


def program(processes: int) -> tuple[str, ...]:
    """The words that run a resolved config: alone, or as so many ranks, which find one another at a free port."""
    if processes == 1:
        return PROGRAM
    return (
        *(PROGRAM[0], "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"),
        *PROGRAM[1:],
    )


def run(words: Sequence[str], *, env: Mapping[str, str] | None = None) -> int:
    """Start a program, wait for it, and return its status: minus the signal where it was killed.

    `env` takes the place of this process's variables. However this process ends, the kernel then closes its end of the
    pipe, and a program that has called `end_with_starter` ends too. Where this process is a worker of a launcher
    (joblib's), it ends with that one.
    """
    end_with_parent()  # a launcher's worker would train on without the sweep that it belongs to
    variables = {**(os.environ if env is None else env), WATCHES: "1"}
    with subprocess.Popen(words, stdin=subprocess.PIPE, env=variables) as process:
        try:
            return process.wait()
        finally:
            _end(process)  # where the wait was interrupted; one that has ended is left alone


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let it end by itself, with its workers, or kill it."""
    assert process.stdin is not None, "it was started with a pipe"
    process.stdin.close()
    try:
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=GRACE)
    finally:
        process.kill()


def end_with_starter() -> None:
    """From now on this process ends as soon as the one that started it by `run` does; one started otherwise stays.

    Ctrl-C is for the starter: what a terminal says to both would end this one in the middle of a file, as a failure.
    """
    if WATCHES in os.environ:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        threading.Thread(target=_watch, name="starter", daemon=True).start()


def _watch() -> None:
    """Nothing is ever written into the pipe: reading returns when no one is left to do so.

    Ends without a clean-up, which could take as long as a batch: a killed run goes on from its last checkpoint.
    """
    while os.read(0, 1):
        pass
    try:
        for worker in multiprocessing.active_children():
            worker.kill()
    finally:
        os._exit(ASKED)
