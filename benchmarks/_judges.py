"""Run each judge of formulas, and each solver, in a process with a time limit."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import sympy
from _pairs import Pair, TransferQuestion

from circuitvlm.circuit.judge.verdict import Verdict, equal_expressions, matches_circuit

FAILURES = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
LATE = "out of time"
START_S = 60.0
"""Longest time in seconds that a process may take to start and to import."""


@dataclass(frozen=True)
class Answer:
    """The result of one call. It is None if the call failed or ran out of time; `error` then says why."""

    seconds: float
    result: str | None
    error: str = ""


class Worker:
    """A function in a process of its own, which is ended and started again if a call takes longer than `limit_s`."""

    def __init__(self, function: Callable[[Any], str], *, limit_s: float) -> None:
        self.function = function
        self.limit_s = limit_s
        self._start()

    def call(self, job: object) -> Answer:
        """Return the answer with the seconds that the function took, without the time of communication."""
        try:
            self._connection.send(job)
            if self._connection.poll(self.limit_s):
                answer: Answer = self._connection.recv()
                return answer
            error = LATE
        except (EOFError, OSError):
            error = "ended"
        self.close()
        self._start()
        return Answer(self.limit_s, None, error)

    def close(self) -> None:
        self._process.kill()
        self._process.join()
        self._connection.close()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, child_connection = context.Pipe()
        self._process = context.Process(target=_serve, args=(child_connection, self.function), daemon=True)
        self._process.start()
        child_connection.close()
        if not self._connection.poll(START_S) or self._connection.recv() != "ready":
            raise RuntimeError(f"expected the process of {self.function.__name__} to start within {START_S:g} s")


def _serve(connection: Connection, function: Callable[[Any], str]) -> None:
    logging.disable()
    connection.send("ready")
    while True:
        job = connection.recv()
        start = time.perf_counter()
        result, error = None, ""
        try:
            result = function(job)
        except FAILURES as failure:
            error = f"{type(failure).__name__}: {' '.join(str(failure).split())[:100]}"
        connection.send(Answer(time.perf_counter() - start, result, error))


def is_installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


# ----------------------------------------------------------------------------------------------------------- formulas


def judge_expressions(pair: Pair) -> str:
    return equal_expressions(pair.reference, pair.answer).value


def judge_latex(pair: Pair) -> str:
    return equal_expressions(pair.reference_latex, pair.answer_latex).value


def judge_netlist(pair: Pair) -> str:
    return matches_circuit(
        pair.answer, pair.question.circuit, pair.question.source.name, pair.question.output.name
    ).value


def sympy_simplify(pair: Pair) -> str:
    """Compare with SymPy, whose parser executes code, so that it may parse our own texts only."""
    return _equal(sympy.simplify(sympy.sympify(pair.reference) - sympy.sympify(pair.answer)) == 0)


def sympy_cancel(pair: Pair) -> str:
    """Compare with the function of SymPy that suits rational functions."""
    return _equal(sympy.cancel(sympy.sympify(pair.reference) - sympy.sympify(pair.answer)) == 0)


def math_verify(pair: Pair) -> str:
    """Compare the LaTeX texts, which math-verify parses best, without its own time limits."""
    package = importlib.import_module("math_verify")
    first, second = (
        package.parse(f"${text}$", parsing_timeout=None) for text in (pair.reference_latex, pair.answer_latex)
    )
    return _equal(package.verify(first, second, timeout_seconds=None))


def _equal(is_equal: bool) -> str:
    return (Verdict.EQUAL if is_equal else Verdict.DIFFERENT).value


# -------------------------------------------------------------------------------------------------- transfer functions


def solve_transfer_function(job: TransferQuestion) -> str:
    """Parse the netlist, and return the text of its transfer function."""
    return job.solve().text


def solve_with_lcapy(job: TransferQuestion) -> str:
    lcapy = importlib.import_module("lcapy")
    transfer_function = lcapy.Circuit(job.text + "\n").transfer(*job.source.nodes[:2], *job.output.nodes[:2])
    return str(transfer_function.sympy)
