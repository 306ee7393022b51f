"""What do the factors of a circuit's polynomial cost, ours and SymPy's? Run as `python benchmarks/factors.py`.

The numerators and denominators of generated circuits' transfer functions, which are determinants with what they share
divided out: each is factored by classes of symbols (`circuit/solve/factors.py`) and by `sympy.factor`, in turn, in one
run. Factors that differ end in exit 1.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sympy
from _figures import estimate, ground, seconds, table, times, within
from _pairs import COMPONENTS, asked
from rich.console import Console
from sympy import Expr, Mul, Poly

from circuitvlm.circuit.solve.factors import factored

CIRCUITS = 100
TURNS = 3

SIDES: dict[str, Callable[[Poly], Expr]] = {
    "by classes of symbols": factored,
    "sympy.factor": lambda poly: sympy.factor(poly.as_expr()),
}


@dataclass(frozen=True)
class Job:
    """A polynomial, and the number of the circuit from which it comes."""

    circuit: int
    poly: Poly


@dataclass(frozen=True)
class Side:
    """The expressions and the seconds of one side, job by job."""

    name: str
    expressions: tuple[Expr, ...]
    seconds: tuple[float, ...]


def jobs(count: int) -> list[Job]:
    """Of each circuit the numerator and the denominator, those left out that are a number."""
    made = [(one.number, one.solved()) for one in asked(count)]
    found = [Job(number, poly) for number, each in made for poly in (each.numerator, each.denominator)]
    return [job for job in found if not job.poly.is_ground]


def measured(found: Sequence[Job]) -> list[Side]:
    """Each job put to both sides in turn, the best of several turns counting; the first job warms them up.

    SymPy remembers parts of what it has formed, so this is the better for it.
    """
    for work in SIDES.values():
        work(found[0].poly)
    rows = [{name: _timed(work, job.poly) for name, work in SIDES.items()} for job in found]
    return [Side(name, *zip(*(row[name] for row in rows), strict=True)) for name in SIDES]


def _timed(work: Callable[[Poly], Expr], poly: Poly) -> tuple[Expr, float]:
    spent = []
    for _ in range(TURNS):
        began = time.perf_counter()
        expression = work(poly)
        spent.append(time.perf_counter() - began)
    return expression, min(spent)


def differing(found: Sequence[Job], sides: Sequence[Side]) -> list[str]:
    """The polynomials whose factors are not the same on both sides, as lines to be printed."""
    return [
        f"FAULT: {job.poly.as_expr()} is {first} by {sides[0].name} and {second} by {sides[1].name}"
        for job, first, second in zip(found, sides[0].expressions, sides[1].expressions, strict=True)
        if _factors(first, job.poly) != _factors(second, job.poly)
    ]


def _factors(expression: Expr, poly: Poly) -> Counter[Expr]:
    """Each with its power, the first coefficient above zero, and what numbers there are as one."""
    number, found = sympy.Integer(1), Counter[Expr]()
    for part in Mul.make_args(expression):
        base, power = part.as_base_exp()
        each = Poly(base, *poly.gens)
        if each.is_ground:
            number *= base**power
        else:
            sign = 1 if each.LC() > 0 else -1
            number *= sign**power
            found[(sign * each).as_expr()] += int(power)
    return found + Counter({number: 1})


def section(found: Sequence[Job], sides: Sequence[Side]) -> str:
    """Markdown: the times of both sides, and the ratio job by job."""
    of = [job.circuit for job in found]
    rows = []
    for side in sides:
        ratios = [a / b for a, b in zip(side.seconds, sides[0].seconds, strict=True)]
        ratio = "1" if side is sides[0] else within(estimate(ratios, groups=of), times)
        median = within(estimate(side.seconds, groups=of), seconds)
        rows.append([side.name, str(len(found)), median, seconds(sum(side.seconds) / len(found)), ratio])
    total = sum(sides[1].seconds) / sum(sides[0].seconds)
    told = f"{CIRCUITS} circuits of {COMPONENTS[0]} to {COMPONENTS[1]} components; together {times(total)} times ours."
    return table(["factors", "polynomials", "median", "mean", "times ours"], rows) + "\n\n" + told


def main() -> None:
    found = jobs(CIRCUITS)
    sides = measured(found)
    faults = differing(found, sides)
    console = Console(soft_wrap=True)
    for line in (ground(), section(found, sides), *faults):
        console.print(line, markup=False, highlight=False)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
