"""Measure the time to factor the polynomials of circuits. Run as `python benchmarks/factors.py`.

The polynomials are the numerators and denominators of transfer functions of generated circuits: determinants without
their common factors. Each is factored by classes of symbols (`circuit/solve/factors.py`) and by `sympy.factor`, in
turn. The exit status is 1 where the factors differ.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sympy
from _figures import environment_line, estimate, format_estimate, seconds, table, times
from _pairs import COMPONENTS, transfer_questions
from rich.console import Console
from sympy import Expr, Mul, Poly

from circuitvlm.circuit.solve.factors import factorize

CIRCUITS = 100
RUNS = 3

METHODS: dict[str, Callable[[Poly], Expr]] = {
    "by classes of symbols": factorize,
    "sympy.factor": lambda poly: sympy.factor(poly.as_expr()),
}


@dataclass(frozen=True)
class Job:
    """A polynomial, and the number of its circuit."""

    circuit: int
    poly: Poly


@dataclass(frozen=True)
class Measurement:
    """The results and the seconds of one method, job by job."""

    method: str
    expressions: tuple[Expr, ...]
    seconds: tuple[float, ...]


def build_jobs(count: int) -> list[Job]:
    """The numerator and the denominator of each circuit, except those that are a number."""
    functions = [(circuit.number, circuit.solve()) for circuit in transfer_questions(count)]
    jobs = [Job(number, poly) for number, function in functions for poly in (function.numerator, function.denominator)]
    return [job for job in jobs if not job.poly.is_ground]


def measure(jobs: Sequence[Job]) -> list[Measurement]:
    """Apply both methods to each job in turn. The shortest of several runs counts; a first job warms up the methods.

    SymPy stores parts of its results, which makes later runs faster.
    """
    for method in METHODS.values():
        method(jobs[0].poly)
    rows = [{name: _measure(method, job.poly) for name, method in METHODS.items()} for job in jobs]
    return [Measurement(name, *zip(*(row[name] for row in rows), strict=True)) for name in METHODS]


def _measure(method: Callable[[Poly], Expr], poly: Poly) -> tuple[Expr, float]:
    durations = []
    for _ in range(RUNS):
        start = time.perf_counter()
        expression = method(poly)
        durations.append(time.perf_counter() - start)
    return expression, min(durations)


def find_faults(jobs: Sequence[Job], measurements: Sequence[Measurement]) -> list[str]:
    """A line for each polynomial whose factors differ between the methods."""
    first, second = measurements
    return [
        f"FAULT: {job.poly.as_expr()} is {a} by {first.method} and {b} by {second.method}"
        for job, a, b in zip(jobs, first.expressions, second.expressions, strict=True)
        if _count_factors(a, job.poly) != _count_factors(b, job.poly)
    ]


def _count_factors(expression: Expr, poly: Poly) -> Counter[Expr]:
    """Each factor with its power and a positive first coefficient, and the product of all numbers as one factor."""
    number, factors = sympy.Integer(1), Counter[Expr]()
    for part in Mul.make_args(expression):
        base, power = part.as_base_exp()
        base_poly = Poly(base, *poly.gens)
        if base_poly.is_ground:
            number *= base**power
        else:
            sign = 1 if base_poly.LC() > 0 else -1
            number *= sign**power
            factors[(sign * base_poly).as_expr()] += int(power)
    return factors + Counter({number: 1})


def section(jobs: Sequence[Job], measurements: Sequence[Measurement]) -> str:
    """Markdown with the times of both methods, and the ratio by job."""
    circuits = [job.circuit for job in jobs]
    own_measurement = measurements[0]
    rows = []
    for measurement in measurements:
        ratios = [a / b for a, b in zip(measurement.seconds, own_measurement.seconds, strict=True)]
        ratio = "1" if measurement is own_measurement else format_estimate(estimate(ratios, groups=circuits), times)
        median = format_estimate(estimate(measurement.seconds, groups=circuits), seconds)
        mean = seconds(sum(measurement.seconds) / len(jobs))
        rows.append([measurement.method, str(len(jobs)), median, mean, ratio])
    total = sum(measurements[1].seconds) / sum(own_measurement.seconds)
    note = f"{CIRCUITS} circuits of {COMPONENTS[0]} to {COMPONENTS[1]} components; together {times(total)} times ours."
    return table(["factors", "polynomials", "median", "mean", "times ours"], rows) + "\n\n" + note


def main() -> None:
    jobs = build_jobs(CIRCUITS)
    measurements = measure(jobs)
    faults = find_faults(jobs, measurements)
    console = Console(soft_wrap=True)
    for line in (environment_line(), section(jobs, measurements), *faults):
        console.print(line, markup=False, highlight=False)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
