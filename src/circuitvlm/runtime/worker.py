"""Start worker processes that end together with the process that has started them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import cache

_CHECK_SECONDS = 0.5
"""Seconds between two checks that the parent process still runs."""


@contextmanager
def pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """A pool of spawned processes, since the threads of torch in this process do not survive a fork.

    Ctrl-C at a terminal reaches all processes, but the workers ignore it. At Ctrl-C or another error this process does
    not wait for the workers: each ends after its current task, or with this process.
    """
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=spawn, initializer=_initialize) as executor:
        try:
            yield executor
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            raise


@cache  # one thread is enough in a worker that calls this for each of its tasks
def end_with_parent() -> None:
    """End this process as soon as its parent ends, since it would wait for more work for ever.

    This does nothing in a process that multiprocessing did not start.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_watch, args=(parent.pid,), name="parent", daemon=True).start()


def _initialize() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()


def _watch(parent_pid: int) -> None:
    while os.getppid() == parent_pid:
        time.sleep(_CHECK_SECONDS)
    os._exit(1)
