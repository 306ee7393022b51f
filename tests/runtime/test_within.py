"""Would a test that bounds a time notice what takes too long?"""

import gc
import time

import pytest

from tests.within import within


def busy(seconds: float) -> None:
    began = time.thread_time()
    while time.thread_time() - began < seconds:
        pass


def test_what_takes_too_long_is_noticed_and_what_waits_is_not() -> None:
    with pytest.raises(AssertionError, match=r"this took 0\.\d+ s, and may take 0\.02 s"), within(0.02):
        busy(0.05)
    with within(0.02):
        time.sleep(0.05)
    assert gc.isenabled()


def test_what_fails_inside_is_told_as_it_is() -> None:
    with pytest.raises(ValueError, match="inside"), within(0.0):
        raise ValueError("inside")
    assert gc.isenabled()
