"""What does each judge say of a pair, and how long does it take? Each works in a process that can be ended."""

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
from _pairs import Asked, Pair

from circuitvlm.circuit.judge.verdict import Verdict, equal_expressions, matches_circuit

FAILURES = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
LATE = "out of time"
START_S = 60.0
"""Longest time that a process may take to start and import."""


@dataclass(frozen=True)
class Answer:
    """`said` is None where the call failed or ran out of time, and `trouble` then says which."""

    seconds: float
    said: str | None
    trouble: str = ""


class Worker:
    """A function in a process of its own; the process is ended and started anew where a call takes over `limit_s`."""

    def __init__(self, work: Callable[[Any], str], *, limit_s: float) -> None:
        self.work = work
        self.limit_s = limit_s
        self._start()

    def ask(self, job: object) -> Answer:
        """The answer with the seconds that the work took there, without the way."""
        try:
            self._pipe.send(job)
            if self._pipe.poll(self.limit_s):
                answer: Answer = self._pipe.recv()
                return answer
            trouble = LATE
        except (EOFError, OSError):
            trouble = "ended"
        self.close()
        self._start()
        return Answer(self.limit_s, None, trouble)

    def close(self) -> None:
        self._process.kill()
        self._process.join()
        self._pipe.close()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self.work), daemon=True)
        self._process.start()
        theirs.close()
        if not self._pipe.poll(START_S) or self._pipe.recv() != "ready":
            raise RuntimeError(f"the process for {self.work.__name__} did not start within {START_S:g} s")


def _serve(pipe: Connection, work: Callable[[Any], str]) -> None:
    logging.disable()
    pipe.send("ready")
    while True:
        job = pipe.recv()
        began = time.perf_counter()
        said, trouble = None, ""
        try:
            said = work(job)
        except FAILURES as error:
            trouble = f"{type(error).__name__}: {' '.join(str(error).split())[:100]}"
        pipe.send(Answer(time.perf_counter() - began, said, trouble))


def is_installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


# ----------------------------------------------------------------------------------------------------------- formulas


def ours(pair: Pair) -> str:
    return equal_expressions(pair.true, pair.said).value


def ours_latex(pair: Pair) -> str:
    return equal_expressions(pair.true_latex, pair.said_latex).value


def ours_netlist(pair: Pair) -> str:
    return matches_circuit(pair.said, pair.asked.circuit, pair.asked.source.name, pair.asked.output.name).value


def sympy_simplify(pair: Pair) -> str:
    """SymPy's reader executes code, so it may see our own texts only."""
    return _equal(sympy.simplify(sympy.sympify(pair.true) - sympy.sympify(pair.said)) == 0)


def sympy_cancel(pair: Pair) -> str:
    """The wiser choice for rational functions."""
    return _equal(sympy.cancel(sympy.sympify(pair.true) - sympy.sympify(pair.said)) == 0)


def math_verify(pair: Pair) -> str:
    """By LaTeX, which it reads best; its own time limits are lifted."""
    package = importlib.import_module("math_verify")
    first, second = (package.parse(f"${text}$", parsing_timeout=None) for text in (pair.true_latex, pair.said_latex))
    return _equal(package.verify(first, second, timeout_seconds=None))


def _equal(is_equal: bool) -> str:
    return (Verdict.EQUAL if is_equal else Verdict.DIFFERENT).value


# -------------------------------------------------------------------------------------------------- transfer functions


def ours_transfer(asked: Asked) -> str:
    """From the netlist's text to the formula's."""
    return asked.solved().text


def lcapy_transfer(asked: Asked) -> str:
    lcapy = importlib.import_module("lcapy")
    made = lcapy.Circuit(asked.text + "\n").transfer(*asked.source.nodes[:2], *asked.output.nodes[:2])
    return str(made.sympy)
