"""Which pairs of formulas are put to the judges, and what is the truth about each?"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import sympy
from sympy import Expr, Symbol

from circuitvlm.circuit import generate, netlist
from circuitvlm.circuit.generate import grid
from circuitvlm.circuit.graph import Circuit, Device
from circuitvlm.circuit.judge.verdict import Verdict
from circuitvlm.circuit.solve.symbolic import TooLargeError, TransferFunction, transfer_function

SEED = 20
COMPONENTS = (3, 8)
KINDS = "RCLVEGH"
"""Of the grid circuits. F is left out, because the direction of its current depends on lcapy's version."""

S = Symbol("s")


@dataclass(frozen=True)
class Asked:
    """A circuit in lcapy's dialect, and from where to where its transfer function is asked for."""

    number: int
    text: str
    source: Device
    output: Device

    @cached_property
    def circuit(self) -> Circuit:
        return netlist.parse(self.text)

    def solved(self) -> TransferFunction:
        return transfer_function(self.circuit, source=self.source.name, output=self.output.name)


@dataclass(frozen=True)
class Pair:
    """The true transfer function and what somebody might say, both as plain mathematics and as LaTeX."""

    asked: Asked
    kind: str
    true: str
    said: str
    true_latex: str
    said_latex: str
    wanted: Verdict


def asked(count: int) -> list[Asked]:
    """Circuits of both generators in turn, with names for values, whose transfer function has two symbols or more."""
    found: list[Asked] = []
    for index in range(50 * count):
        one = _asked(index, len(found))
        if one is not None:
            found.append(one)
        if len(found) == count:
            return found
    raise RuntimeError(f"{len(found)} of {count} circuits have a transfer function of two symbols")


def pairs(circuits: Sequence[Asked]) -> list[Pair]:
    """Five of each circuit: two other spellings of its transfer function, and three mutants."""
    return [pair for one in circuits for pair in _pairs_of(one)]


def _asked(index: int, number: int) -> Asked | None:
    rng = random.Random(SEED * 1_000_003 + index)
    plain = index % 2 == 0
    item = (
        generate.item([SEED, 1], index, components=COMPONENTS)
        if plain
        else grid.item([SEED, 2], index, components=COMPONENTS, form="symbolic", kinds=KINDS)
    )
    devices = [_symbolic(d) if plain else d for d in item.circuit.devices]
    devices = [replace(d, text="step") if d.kind in "VI" and d.value is None else d for d in devices]
    sources = [d for d in devices if d.kind == "V" and d.value is None]
    outputs = [d for d in devices if d.kind in "RCL"]
    if not sources or not outputs:
        return None
    text = netlist.format(Circuit(tuple(devices)), renumber=False)
    one = Asked(number=number, text=text, source=rng.choice(sources), output=rng.choice(outputs))
    try:
        return one if len(one.solved().symbols) >= 2 else None
    except TooLargeError:
        return None


def _symbolic(device: Device) -> Device:
    return replace(device, value=None, text=device.name)


def _pairs_of(one: Asked) -> Iterator[Pair]:
    made = one.solved()
    above, below = made.numerator.as_expr(), made.denominator.as_expr()
    lead = made.denominator.as_poly(S).LC()
    a, b = random.Random(one.number).sample(sorted(map(Symbol, made.symbols), key=str), 2)
    swapped = tuple(part.subs({a: b, b: a}, simultaneous=True) for part in (above, below))
    candidates = {
        "expanded": (sympy.expand(made.expression), Verdict.EQUAL),
        "divided": (sympy.expand(above / lead) / sympy.expand(below / lead), Verdict.EQUAL),
        "sign": (-made.expression, Verdict.OPPOSITE),
        "factor": (2 * made.expression, Verdict.DIFFERENT),
        "swapped": (swapped[0] / swapped[1], _truth((above, below), swapped)),
    }
    for kind, (said, wanted) in candidates.items():
        yield Pair(
            asked=one,
            kind=kind,
            true=made.text,
            said=str(said),
            true_latex=made.latex,
            said_latex=str(sympy.latex(said)),
            wanted=wanted,
        )


def _truth(first: tuple[Expr, ...], second: tuple[Expr, ...]) -> Verdict:
    """Compares two fractions exactly, as polynomials multiplied crosswise."""
    left, right = sympy.expand(first[0] * second[1]), sympy.expand(second[0] * first[1])
    if left == right:
        return Verdict.EQUAL
    return Verdict.OPPOSITE if sympy.expand(left + right) == 0 else Verdict.DIFFERENT
