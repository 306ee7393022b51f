"""Is this formula right? Decided exactly, without forming or simplifying an expression."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator, Sequence

from circuitvlm.circuit.dialect import readings, to_spice
from circuitvlm.circuit.formula.expression import (
    Expression,
    ExpressionError,
    Statement,
    definitions,
    read,
    read_defined,
)
from circuitvlm.circuit.formula.names import Vocabulary
from circuitvlm.circuit.graph import GROUND, Circuit
from circuitvlm.circuit.judge import complex_values
from circuitvlm.circuit.judge.points import Asked, Transfer, Unknown, Verdict, Wanted, compared
from circuitvlm.circuit.solve.equations import equations
from circuitvlm.circuit.solve.probe import Probe, output_nodes, source_of

__all__ = ["Verdict", "equal_expressions", "matches_circuit", "matches_unknown"]

SECONDS = 0.8
"""Longest time that a comparison may compute, of the thread's own: a busy machine must not change a verdict.
What is not decided by then is not accepted."""


def equal_expressions(a: str, b: str, symbols: Iterable[str] | None = None) -> Verdict:
    """Whether two texts state one formula, one the negative of the other, or neither.

    Both are evaluated at random points of a finite field of 2^61 elements (an error has a probability below 1e-14);
    those with roots or functions at random complex points with 40 digits, s in the right half plane and all other
    symbols positive. Without `symbols`, a run of letters in one text is read by the symbols of the other (`sRC`
    beside `s*R*C`). A formula before a number (`R2/(R1+R2) = 0.5`) or before a sign of approximation counts as well
    as what stands behind; a text whose sides contradict each other is "different". An equation equals the one with
    its sides exchanged. Symbols that a text defines beside its formula ("where \\tau = RC") are put in, but for
    `symbols` and those that the other text leaves undefined; a definition that cannot be put in, as one in a circle,
    counts as none. A text that is no formula, or has no value anywhere, is "unreadable". Computes for a second at
    most; safe in threads; nothing is executed.
    """
    until = time.thread_time() + SECONDS
    known = None if symbols is None else Vocabulary(symbols)
    try:
        first, second = _both(a, b, known)
        verdict = _verdict(first, second, until=until)
    except (ExpressionError, complex_values.BoundError):
        return Verdict.UNREADABLE
    if verdict is Verdict.EQUAL:
        return verdict
    with contextlib.suppress(ExpressionError, complex_values.BoundError):
        one, other = _defined(a, b, second, known=known), _defined(b, a, first, known=known)
        if one and not other:
            second = _again(b, one, second, known=known)
        if other and not one:
            first = _again(a, other, first, known=known)
        found = _verdict(one or first, other or second, until=until) if one or other else Verdict.UNREADABLE
        return verdict if found is Verdict.UNREADABLE else found
    return verdict


def matches_circuit(answer: str, circuit: Circuit, source: str = "V1", output: str | Sequence[str] = "C1") -> Verdict:
    """Whether `answer` is the transfer function of the circuit from the source to the voltage of the output.

    `source` is the name of a V or I; the others are set to zero. `output` is a device (the voltage of its first node
    against its second), a node (against ground), or two nodes, as ("3", "2") or "v(3,2)". The circuit's equations are
    solved in a finite field with random values for its symbols, and the answer evaluated at the same values: exact,
    with no transfer function formed. A device without a number has its text as symbol, else its name; an answer may
    use either, and define other symbols beside its formula. E sources with the gain `Ad` or `inf` are ideal op-amps,
    unless the answer itself speaks of that gain.
    A netlist in lcapy's dialect is read by lcapy's conventions, in each of the ways that its versions have
    (`dialect.readings`). Computes for a second at most.
    Raises KeyError for an unknown source or output, UnsolvableDeviceError for devices that are not linear, and
    SingularCircuitError for a circuit that has no transfer function.
    """
    wanted = Transfer(source_of(circuit, source).name, *output_nodes(circuit, output))
    return _best(answer, [(reading, wanted) for reading in readings(circuit)])


def matches_unknown(answer: str, circuit: Circuit, probe: Probe) -> Verdict:
    """Whether `answer` is the Laplace transform of a node's voltage or of the current of a V, L, E or H.

    All independent sources act, by their values or names, each as a step (V1/s) or each as it stands (V1): which of
    the two an answer means is not told apart. Otherwise as `matches_circuit`.
    """
    columns = {name.upper() for name in equations(to_spice(circuit)).unknowns}
    if not {f"{probe.quantity}({of})".upper() for of in probe.of if of != GROUND} <= columns:
        raise KeyError(f"{probe.card!r} is no unknown of the circuit; there are {', '.join(sorted(columns))}")
    meant = [(reading, Unknown(reading, probe, step)) for reading in readings(circuit) for step in (True, False)]
    return _best(answer, meant)


def _best(answer: str, meant: Sequence[tuple[Circuit, Wanted]]) -> Verdict:
    """The best verdict over all that the netlist and the question may mean."""
    until = time.thread_time() + SECONDS
    found: list[Verdict] = []
    for circuit, wanted in meant:
        found.append(Asked(circuit, wanted, until=until).judged(answer))
        if found[-1] is Verdict.EQUAL:
            return Verdict.EQUAL
    return Verdict.OPPOSITE if Verdict.OPPOSITE in found else found[0]


# ------------------------------------------------------------------------------------------------------ two expressions


def _verdict(first: Statement, second: Statement, *, until: float) -> Verdict:
    """How two statements compare. Raises BoundError."""
    verdict = compared(first.result, second.result, until=until)
    for one, other in _readings(first, second) if verdict is not Verdict.EQUAL else ():
        if compared(one, other, until=until) is Verdict.EQUAL:
            verdict = Verdict.EQUAL
    if verdict is Verdict.OPPOSITE and first.is_equation and second.is_equation:
        return Verdict.EQUAL
    if verdict is Verdict.EQUAL and (
        _contradicts(first, second, until=until) or _contradicts(second, first, until=until)
    ):
        return Verdict.DIFFERENT
    return verdict


def _defined(text: str, beside: str, other: Statement, *, known: Vocabulary | None) -> Statement | None:
    """The text with its definitions put in, but for symbols that are known or that the other speaks of undefined."""
    nothing = Vocabulary((), any_case=False)
    theirs = _spoken(other) - definitions(beside, known or nothing).keys()
    own = (known or nothing).joined(theirs)
    return read_defined(text, definitions(text, own), own, is_of_frequency="s" in _spoken(other))


def _both(a: str, b: str, known: Vocabulary | None) -> tuple[Statement, Statement]:
    plain = read(a, known), read(b, known)
    if plain[0] == plain[1]:
        return plain
    return _again(a, plain[1], plain[0], known=known), _again(b, plain[0], plain[1], known=known)


def _again(text: str, other: Statement, plain: Statement, *, known: Vocabulary | None) -> Statement:
    """The text read by the other's symbols where its own are not all among them; a function of s where the other is."""
    theirs = _spoken(other)
    if _spoken(plain) <= theirs and ("s" not in theirs or "s" in _spoken(plain)):
        return plain
    return read(text, known or Vocabulary(theirs, any_case=False), is_of_frequency="s" in theirs)


def _spoken(stated: Statement) -> frozenset[str]:
    """The symbols of a statement's result and of its other readings."""
    return frozenset[str]().union(*(side.symbols() for side in (stated.result, *stated.readings)))


def _readings(first: Statement, second: Statement) -> Iterator[tuple[Expression, Expression]]:
    """The pairs of formulas that may be meant, but for the two results."""
    for one in (first.result, *first.readings):
        for other in (second.result, *second.readings):
            if one.symbols() or other.symbols():
                yield one, other


def _contradicts(stated: Statement, truth: Statement, *, until: float) -> bool:
    """Whether a side that speaks of no symbol but the truth's and the result's differs from the result."""
    theirs = truth.result.symbols() | stated.result.symbols()
    sides = [side for side in stated.equal if side.symbols() <= theirs and stated.number is None]
    return any(compared(side, stated.result, until=until) is not Verdict.EQUAL for side in sides)
