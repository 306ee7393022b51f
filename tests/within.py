"""Does a piece of work take less time than it may? This thread's time alone is counted, and no collection of garbage:
a process that ran other tests before has very many objects, and looking through them may take a second by itself.
"""

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def within(seconds: float, what: str = "this") -> Iterator[None]:
    """What stands inside takes less than so many seconds of this thread's processor, or AssertionError says how many.

    What raises inside is raised on, and no time is judged.
    """
    collected = gc.isenabled()
    gc.disable()
    began = time.thread_time()
    try:
        yield
        took = time.thread_time() - began
    finally:
        if collected:
            gc.enable()
    assert took < seconds, f"{what} took {took:.2f} s, and may take {seconds:g} s"
