"""What is the value of a formula at complex numbers, with many digits? For formulas that are not rational."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from mpmath.ctx_mp import MPContext

from circuitvlm.circuit.formula.expression import Expression
from circuitvlm.circuit.judge.field import random_value

DIGITS = 40
LARGEST = 10_000
"""Magnitude of an argument beyond which exp and its kin are not computed: their results would fill the memory."""


class BoundError(ValueError):
    """A value too large, undefined, or not ready in time."""


class _Own(threading.local):
    """mpmath keeps its precision in a context; each thread has one of its own."""

    def __init__(self) -> None:
        self.context = MPContext()
        self.context.dps = DIGITS


_own = _Own()


def context() -> Any:
    """This thread's mpmath context."""
    return _own.context


def evaluate(node: Expression, *, turn: int, until: float, known: Mapping[str, Expression] | None = None) -> Any:
    """The value (an mpmath number) at a random point: positive symbols near 1, s in the right half plane.

    Branches of roots and logarithms are those of positive element values. `known` symbols stand for other formulas.
    Raises BoundError past `until` (time.thread_time), at poles, and for what grows too large.
    """
    context = _own.context
    given = known or {}

    def of(expression: Expression) -> Any:
        if time.thread_time() > until:
            raise BoundError("the formula took too long")
        if expression.op == "symbol":
            stands_for = given.get(expression.name)
            return _value(context, expression.name, turn) if stands_for is None else of(stands_for)
        if expression.op == "number":
            return context.mpf(expression.number.numerator) / expression.number.denominator
        if expression.op == "j":
            return context.mpc(0, 1)
        if expression.op == "pi":
            return context.pi
        try:
            return _apply(context, expression.op, [of(arg) for arg in expression.args])
        except (ZeroDivisionError, OverflowError, ValueError) as error:
            raise BoundError(str(error)) from error

    return of(node)


def agree(a: Any, b: Any) -> bool:
    """Whether two values are equal but for the last quarter of their digits."""
    context = _own.context
    return bool(abs(a - b) <= context.mpf(10) ** (-DIGITS * 3 // 4) * max(abs(a), abs(b)))


def _value(context: Any, name: str, turn: int) -> Any:
    if name == "s":
        return context.mpc(_value(context, "real part of s", turn), _value(context, "omega", turn))
    return context.mpf(1) / 2 + context.mpf(random_value(name, turn)) / 2**61


def _apply(context: Any, op: str, values: list[Any]) -> Any:
    if op == "+":
        return context.fsum(values)
    if op == "*":
        return context.fprod(values)
    if op == "neg":
        return -values[0]
    if op == "inv":
        return 1 / values[0]
    if op == "||":
        return 1 / context.fsum([1 / value for value in values])
    if op == "^":
        return _power(context, *values)
    if abs(values[0]) > LARGEST:
        raise BoundError(f"the argument of {op} is beyond {LARGEST}")
    named: dict[str, Callable[[Any], Any]] = {"arctan": context.atan, "abs": abs}
    return named[op](values[0]) if op in named else getattr(context, op)(values[0])


def _power(context: Any, base: Any, exponent: Any) -> Any:
    size = abs(exponent) * (1 + abs(context.log(abs(base)))) if base else abs(exponent)
    if size > LARGEST:
        raise BoundError(f"a power beyond e^{LARGEST}")
    return context.power(base, exponent)
