"""Generate the pairs of formulas that the judges compare, with the true verdict of each."""

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
"""Kinds of devices of the grid circuits. F is left out: the direction of its current depends on lcapy's version."""

S = Symbol("s")


@dataclass(frozen=True)
class TransferQuestion:
    """A circuit in lcapy's dialect, with the source and the output of a transfer function."""

    number: int
    text: str
    source: Device
    output: Device

    @cached_property
    def circuit(self) -> Circuit:
        return netlist.parse(self.text)

    def solve(self) -> TransferFunction:
        return transfer_function(self.circuit, source=self.source.name, output=self.output.name)


@dataclass(frozen=True)
class Pair:
    """The true transfer function and a possible answer, both as plain mathematics and as LaTeX."""

    question: TransferQuestion
    kind: str
    reference: str
    answer: str
    reference_latex: str
    answer_latex: str
    verdict: Verdict


def transfer_questions(count: int) -> list[TransferQuestion]:
    """Circuits of both generators in turn, with names as values.

    Each transfer function has at least two symbols. Raises RuntimeError if too few circuits are found.
    """
    questions: list[TransferQuestion] = []
    for index in range(50 * count):
        question = _generate_question(index, len(questions))
        if question is not None:
            questions.append(question)
        if len(questions) == count:
            return questions
    raise RuntimeError(f"expected {count} transfer functions with two symbols or more, got {len(questions)}")


def formula_pairs(questions: Sequence[TransferQuestion]) -> list[Pair]:
    """Five pairs for each circuit: two equal forms of its transfer function, and three wrong formulas."""
    return [pair for question in questions for pair in _pairs_of(question)]


def _generate_question(index: int, number: int) -> TransferQuestion | None:
    rng = random.Random(SEED * 1_000_003 + index)
    is_basic = index % 2 == 0
    item = (
        generate.item([SEED, 1], index, components=COMPONENTS)
        if is_basic
        else grid.item([SEED, 2], index, components=COMPONENTS, form="symbolic", kinds=KINDS)
    )
    devices = [replace(d, value=None, text=d.name) if is_basic else d for d in item.circuit.devices]
    devices = [replace(d, text="step") if d.kind in "VI" and d.value is None else d for d in devices]
    sources = [d for d in devices if d.kind == "V" and d.value is None]
    outputs = [d for d in devices if d.kind in "RCL"]
    if not sources or not outputs:
        return None
    text = netlist.format(Circuit(tuple(devices)), renumber=False)
    question = TransferQuestion(number=number, text=text, source=rng.choice(sources), output=rng.choice(outputs))
    try:
        return question if len(question.solve().symbols) >= 2 else None
    except TooLargeError:
        return None


def _pairs_of(question: TransferQuestion) -> Iterator[Pair]:
    function = question.solve()
    numerator, denominator = function.numerator.as_expr(), function.denominator.as_expr()
    lead = function.denominator.as_poly(S).LC()
    a, b = random.Random(question.number).sample(sorted(map(Symbol, function.symbols), key=str), 2)
    swapped_parts = tuple(part.subs({a: b, b: a}, simultaneous=True) for part in (numerator, denominator))
    candidates = {
        "expanded": (sympy.expand(function.expression), Verdict.EQUAL),
        "divided": (sympy.expand(numerator / lead) / sympy.expand(denominator / lead), Verdict.EQUAL),
        "sign": (-function.expression, Verdict.OPPOSITE),
        "factor": (2 * function.expression, Verdict.DIFFERENT),
        "swapped": (swapped_parts[0] / swapped_parts[1], _true_verdict((numerator, denominator), swapped_parts)),
    }
    for kind, (answer, verdict) in candidates.items():
        yield Pair(
            question=question,
            kind=kind,
            reference=function.text,
            answer=str(answer),
            reference_latex=function.latex,
            answer_latex=str(sympy.latex(answer)),
            verdict=verdict,
        )


def _true_verdict(first: tuple[Expr, ...], second: tuple[Expr, ...]) -> Verdict:
    """Compare two fractions (numerator, denominator) exactly, as polynomials multiplied crosswise."""
    a, b = sympy.expand(first[0] * second[1]), sympy.expand(second[0] * first[1])
    if a == b:
        return Verdict.EQUAL
    return Verdict.OPPOSITE if sympy.expand(a + b) == 0 else Verdict.DIFFERENT
