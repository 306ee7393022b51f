"""Evaluate formulas at complex numbers with many digits: those that are not rational.

The steps of an operation are those of `field`, about 0.2 microseconds each.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from mpmath.ctx_mp import MPContext

from circuitvlm.circuit.formula.expression import Expression
from circuitvlm.circuit.judge.budget import Budget, UndecidedError
from circuitvlm.circuit.judge.field import random_value

DIGITS = 40
LARGEST = 10_000
"""Largest magnitude of a function's argument: beyond it the results of exp and sinh would fill the memory."""

NODE_STEPS = 20
"""Steps of a number, a symbol or an arithmetic operation."""

FUNCTION_STEPS, POWER_STEPS = 60, 130
"""Further steps of a function and of a power of real numbers; three times as many for complex ones."""


class _Thread(threading.local):
    """mpmath keeps its precision in a context; each thread has one of its own."""

    def __init__(self) -> None:
        self.context = ctx = MPContext()
        ctx.dps = DIGITS
        self.operations: dict[str, Callable[[list[Any]], Any]] = {
            "+": ctx.fsum,
            "*": ctx.fprod,
            "neg": lambda args: -args[0],
            "inv": lambda args: 1 / args[0],
            "||": lambda args: 1 / ctx.fsum([1 / arg for arg in args]),
        }


_thread = _Thread()


def context() -> Any:
    """This thread's mpmath context."""
    return _thread.context


def evaluate(formula: Expression, trial: int, budget: Budget, aliases: Mapping[str, Expression] | None = None) -> Any:
    """The value (an mpmath number) at a random point: positive symbols near 1, s in the right half plane.

    Branches of roots and logarithms are those of positive element values. A symbol in `aliases` has the value of the
    formula there. Raises UndecidedError where the budget is spent, at poles, and for what grows too large.
    """
    ctx = context()
    formulas = aliases or {}

    def value_of(node: Expression) -> Any:
        budget.spend(NODE_STEPS)
        if node.op == "symbol":
            return value_of(formulas[node.name]) if node.name in formulas else _random_value(ctx, node.name, trial)
        if node.op == "number":
            return ctx.mpf(node.number.numerator) / node.number.denominator
        if node.op == "j":
            return ctx.mpc(0, 1)
        if node.op == "pi":
            return ctx.pi
        args = [value_of(arg) for arg in node.args]
        try:
            return _apply(ctx, node.op, args, budget)
        except (ZeroDivisionError, OverflowError, ValueError) as error:
            raise UndecidedError(f"{node.op}: expected a finite value, got {error}") from error

    return value_of(formula)


def are_equal(a: Any, b: Any) -> bool:
    """Whether two values are equal except for the last quarter of their digits."""
    return bool(abs(a - b) <= context().mpf(10) ** (-DIGITS * 3 // 4) * max(abs(a), abs(b)))


def _random_value(ctx: Any, name: str, trial: int) -> Any:
    if name == "s":
        return ctx.mpc(_random_value(ctx, "real part of s", trial), _random_value(ctx, "omega", trial))
    return ctx.mpf(1) / 2 + ctx.mpf(random_value(name, trial)) / 2**61


def _apply(ctx: Any, op: str, args: list[Any], budget: Budget) -> Any:
    if op in _thread.operations:
        return _thread.operations[op](args)
    steps = POWER_STEPS if op == "^" else FUNCTION_STEPS
    budget.spend(3 * steps if any(isinstance(arg, ctx.mpc) for arg in args) else steps)
    if op == "^":
        return _power(ctx, *args)
    if abs(args[0]) > LARGEST:
        raise UndecidedError(f"{op}: expected an argument of at most {LARGEST}, got about 2^{ctx.mag(args[0])}")
    functions: dict[str, Callable[[Any], Any]] = {"arctan": ctx.atan, "abs": abs}
    return functions[op](args[0]) if op in functions else getattr(ctx, op)(args[0])


def _power(ctx: Any, base: Any, exponent: Any) -> Any:
    size = abs(exponent) * (1 + abs(ctx.log(abs(base)))) if base else abs(exponent)
    if size > LARGEST:
        raise UndecidedError(f"expected a power of at most e^{LARGEST}, got about e^(2^{ctx.mag(size)})")
    return ctx.power(base, exponent)
