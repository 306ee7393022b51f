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

    An error within, or Ctrl-C, which a terminal says to all of them and is for this process, ends them at once: what
    they have begun is left half done.
    """
    others = multiprocessing.active_children()
    made = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"), initializer=_serve)
    try:
        yield made
    except BaseException:
        for process in multiprocessing.active_children():
            if process not in others:
                process.terminate()
        raise
    finally:
        made.shutdown(cancel_futures=True)


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
