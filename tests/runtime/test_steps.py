"""Tests of the bounds on counted calls and on the growth of time."""

import time

import pytest

from tests.steps import growth, max_calls


def test_too_many_calls_of_python_or_of_c_are_noticed() -> None:
    def sort_often() -> None:
        for _ in range(100):
            sorted([])

    with pytest.raises(AssertionError, match=r"work: expected at most 99 calls, got 1\d\d"), max_calls(99):
        sort_often()
    with max_calls(150):
        sort_often()


def test_an_exception_of_the_work_is_passed_on() -> None:
    with pytest.raises(ValueError, match="inside"), max_calls(0):
        raise ValueError("inside")


def test_the_growth_of_linear_and_of_quadratic_work_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 0.0

    def work(steps: float) -> None:
        nonlocal clock
        clock += steps

    monkeypatch.setattr(time, "thread_time", lambda: clock)
    assert growth(work, 100) == 4
    assert growth(lambda n: work(n * n), 100) == 16
