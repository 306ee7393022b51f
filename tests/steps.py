"""Bound the work of a function by counted calls, or fit how its time grows: neither depends on the machine's speed."""

import cProfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def max_calls(limit: int, work: str = "this work") -> Iterator[None]:
    """Raise AssertionError if the block calls more than `limit` functions, written in Python or in C.

    An exception of the block itself is passed on, and nothing is counted.
    """
    profile = cProfile.Profile()
    with profile:
        yield
    calls = sum(entry.callcount for entry in profile.getstats())
    assert calls <= limit, f"{work}: expected at most {limit} calls, got {calls}"


def growth(work: Callable[[int], object], size: int, *, factor: int = 4) -> float:
    """How many times longer `work(factor * size)` takes than `work(size)`: `factor` where its time is linear.

    It compares the least of three measurements of this thread's processor time each.
    """

    def seconds(n: int) -> float:
        start = time.thread_time()
        work(n)
        return time.thread_time() - start

    pairs = [(seconds(size), seconds(factor * size)) for _ in range(3)]
    return min(large for _, large in pairs) / min(small for small, _ in pairs)
