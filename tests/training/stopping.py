"""Start many short runs, and stop them at a chosen moment, without importing torch for each of them.

A server imports everything once and forks the processes of each run, as torchrun would start them: when one dies, the
others are given a while and are then killed.
"""

from __future__ import annotations

import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import wraps
from glob import glob
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).parents[2]
GRACE = 5.0
"""Seconds that the other ranks are given when one has died."""


@dataclass(frozen=True, kw_only=True)
class Moment:
    """At the n-th call of a place, on one rank: a signal to itself ("SIGKILL"), an exception ("error"), or, of a
    micro-batch, a finite loss whose gradient is no number ("nan").

    Places: drawing (of a circuit), micro_batch, validation (a batch of it), written (a checkpoint, not yet renamed),
    renamed (not yet pruned), adapter (its saving), reply (a batch of them), grading (of a split), report (its table).
    Or, where `place` is empty, from outside to all ranks, but not to their children: `seconds` after the start, or
    after a file of the pattern `file` is there.
    """

    place: str = ""
    call: int = 1
    how: str = "SIGKILL"
    rank: int = 0
    seconds: float = 0.0
    file: str = ""


@dataclass(frozen=True)
class Ended:
    """The statuses of a run's processes, minus the signal where one was killed, and all that they said."""

    statuses: list[int]
    said: str


class Starter:
    """The tests' end of the server."""

    def __enter__(self) -> Self:
        words = [sys.executable, "-m", "tests.training.stopping"]
        variables = {**os.environ, "OMP_NUM_THREADS": "1"}
        pipe = subprocess.PIPE
        self.server = subprocess.Popen(words, cwd=ROOT, env=variables, stdin=pipe, stdout=pipe, text=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self.server.stdin is not None, "it was started with pipes"
        self.server.stdin.close()
        self.server.wait(timeout=60)

    def run(self, words: Sequence[str], *, cache: Path, processes: int = 1, moment: Moment | None = None) -> Ended:
        """train.py with these words, until it has ended or been stopped."""
        assert self.server.stdin is not None, "it was started with pipes"
        assert self.server.stdout is not None, "it was started with pipes"
        job = {"words": list(words), "cache": str(cache), "processes": processes}
        log = Path(f"{cache}.log")
        self.server.stdin.write(
            json.dumps({**job, "log": str(log), "moment": asdict(moment) if moment else None}) + "\n"
        )
        self.server.stdin.flush()
        return Ended(json.loads(self.server.stdout.readline()), log.read_text())


def _serve() -> None:
    import circuitvlm.training.execute  # noqa: F401  # what takes long, once

    for line in sys.stdin:
        job = json.loads(line)
        moment = Moment(**job["moment"]) if job["moment"] else None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        Path(job["log"]).write_text("")
        pids = [_fork(job, rank, port=port, moment=moment) for rank in range(job["processes"])]
        sys.stdout.write(json.dumps(_watched(pids, moment)) + "\n")
        sys.stdout.flush()


def _watched(pids: list[int], moment: Moment | None) -> list[int]:
    ended: dict[int, int] = {}
    began, died = time.monotonic(), float("inf")
    told = moment is None or bool(moment.place)
    while len(ended) < len(pids):
        for pid in set(pids) - ended.keys():
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                ended[pid] = os.waitstatus_to_exitcode(status)
                died = min(died, time.monotonic()) if ended[pid] else died
        alive = set(pids) - ended.keys()
        if moment is not None and moment.file and not glob(moment.file):
            began = time.monotonic()
        elif not told and moment is not None and time.monotonic() - began > moment.seconds:
            told = True
            for pid in alive:
                os.kill(pid, signal.Signals[moment.how])
        if time.monotonic() - died > GRACE:
            for pid in alive:
                os.kill(pid, signal.SIGKILL)
            died = float("inf")
        time.sleep(0.01)
    return [ended[pid] for pid in pids]


def _fork(job: dict[str, Any], rank: int, *, port: int, moment: Moment | None) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 1
    os.setpgrp()
    try:
        with Path(job["log"]).open("a") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        os.environ["CIRCUITVLM_CACHE"] = job["cache"]
        if job["processes"] > 1:
            world = str(job["processes"])
            os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=world, LOCAL_WORLD_SIZE=world)
            os.environ.update(GROUP_RANK="0", MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), TORCHELASTIC_RUN_ID="x")
        if moment is not None and moment.place and moment.rank == rank:
            _arm(moment)
        sys.argv = [str(ROOT / "train.py"), *job["words"]]
        runpy.run_path(sys.argv[0], run_name="__main__")
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001  # this is where the process ends
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _arm(moment: Moment) -> None:
    from circuitvlm.data.circuits import source
    from circuitvlm.training import execute
    from circuitvlm.training.assemble import Run
    from circuitvlm.training.checkpoint import storage
    from circuitvlm.training.module import Module

    owners: dict[str, tuple[Any, str]] = {
        "drawing": (source, "make_drawing"),
        "micro_batch": (Module, "training_step"),
        "validation": (Module, "validation_step"),
        "written": (storage, "replace_folder"),
        "renamed": (storage, "prune"),
        "adapter": (Run, "save"),
        "reply": (Module, "predict_step"),
        "grading": (Run, "regrade"),
        "report": (execute, "comparison"),
    }
    owner, name = owners[moment.place]
    setattr(owner, name, _stopped(getattr(owner, name), moment))


def _stopped(plain: Callable[..., Any], moment: Moment) -> Callable[..., Any]:
    calls = 0

    @wraps(plain)
    def counted(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == moment.call:
            if moment.how == "error":
                raise RuntimeError("an error of the tests")
            if moment.how == "nan":
                loss = plain(*args, **kwargs)
                return loss + (loss * 0).sqrt()
            os.killpg(0, signal.Signals[moment.how])  # with its loaders' workers, as a job's end reaches all
        return plain(*args, **kwargs)

    return counted


if __name__ == "__main__":
    _serve()
