"""How do worker processes end? With the process that began them, however that one ends."""

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

_MOMENT = 0.5
"""Seconds between two looks for whether the parent is still there."""


@contextmanager
def pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Spawned workers: the threads that torch has in this process do not survive a fork.

    Ctrl-C, which a terminal says to all of them, is for this process. It does not wait for them then, nor at an error:
    they end with it, or with what they have begun.
    """
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=spawn, initializer=_serve) as made:
        try:
            yield made
        except BaseException:
            made.shutdown(wait=False, cancel_futures=True)
            raise


@cache  # one look is enough in a worker that is told so for each of its tasks
def end_with_parent() -> None:
    """From now on this process ends as soon as the one that began it does: it would wait for more work for ever.

    Nothing happens in a process that multiprocessing did not begin.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_watch, args=(parent.pid,), name="parent", daemon=True).start()


def _serve() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()


def _watch(number: int) -> None:
    while os.getppid() == number:
        time.sleep(_MOMENT)
    os._exit(1)
