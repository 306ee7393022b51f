"""Judge exactly whether a formula is right, without forming or simplifying an expression."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from itertools import product

from circuitvlm.circuit.dialect import readings, to_spice
from circuitvlm.circuit.formula.expression import (
    Expression,
    ExpressionError,
    Statement,
    find_definitions,
    parse_statement,
    parse_with_definitions,
)
from circuitvlm.circuit.formula.vocabulary import Vocabulary
from circuitvlm.circuit.graph import GROUND, Circuit
from circuitvlm.circuit.judge.budget import Budget, UndecidedError
from circuitvlm.circuit.judge.points import CircuitQuantity, Verdict, compare_answer, compare_formulas
from circuitvlm.circuit.solve.equations import build_equations
from circuitvlm.circuit.solve.probe import Probe, find_source, output_nodes

__all__ = ["MAX_STEPS", "Verdict", "equal_expressions", "matches_circuit", "matches_unknown"]

MAX_STEPS = 6_000_000
"""Most steps of a comparison; what is not decided by then is not accepted.

A step is the addition of a number modulo a prime; `field`, `complex_values` and `elimination` say how many steps their
operations have. A step takes about 0.2 microseconds, all of them one to two seconds. Reading a text costs no steps: it
takes linear time, and a text has at most `expression.MAX_CHARACTERS`.
"""


def equal_expressions(a: str, b: str, symbols: Iterable[str] | None = None) -> Verdict:
    """Whether two texts state one formula, one the negative of the other, or neither.

    Both are evaluated at random points of a finite field of 2^61 elements (an error has a probability below 1e-14).
    Formulas with roots or functions are evaluated at random complex points with 40 digits: s in the right half plane
    and all other symbols positive. Without `symbols`, a run of letters in one text is read by the symbols of the other
    (`sRC` where that has `s*R*C`). A formula before a number (`R2/(R1+R2) = 0.5`) or before a sign of approximation
    counts as well as what follows. A text whose sides contradict each other is "different". An equation equals the one
    with its sides exchanged. Symbols that a text defines ("where \\tau = RC") are substituted, except `symbols` and
    those that the other text leaves undefined. A definition that cannot be substituted, such as a circular one, is
    ignored. A text that is no formula, has no value anywhere, or needs more than MAX_STEPS steps is "unreadable".
    Safe in threads; nothing is executed.
    """
    budget = Budget(MAX_STEPS)
    vocabulary = None if symbols is None else Vocabulary(symbols)
    try:
        first, second = parse_statement(a, vocabulary), parse_statement(b, vocabulary)
        if first != second:
            first, second = _parse_again(a, first, second, vocabulary), _parse_again(b, second, first, vocabulary)
        verdict = _compare_statements(first, second, budget)
    except (ExpressionError, UndecidedError):
        return Verdict.UNREADABLE
    if verdict is Verdict.EQUAL:
        return verdict
    with contextlib.suppress(ExpressionError, UndecidedError):
        defined_first = _parse_defined(a, b, second, vocabulary)
        defined_second = _parse_defined(b, a, first, vocabulary)
        if defined_first and not defined_second:
            second = _parse_again(b, second, defined_first, vocabulary)
        if defined_second and not defined_first:
            first = _parse_again(a, first, defined_second, vocabulary)
        if defined_first or defined_second:
            defined_verdict = _compare_statements(defined_first or first, defined_second or second, budget)
            return verdict if defined_verdict is Verdict.UNREADABLE else defined_verdict
    return verdict


def matches_circuit(answer: str, circuit: Circuit, source: str = "V1", output: str | Sequence[str] = "C1") -> Verdict:
    """Whether `answer` is the transfer function of the circuit from the source to the voltage of the output.

    `source` is the name of a V or I; the others are set to zero. `output` is a device (the voltage of its first node
    against its second), a node (against ground), or two nodes, as ("3", "2") or "v(3,2)". The circuit's equations are
    solved in a finite field with random values for its symbols, and the answer evaluated at the same values: exact,
    without forming a transfer function. A device without a number has its text as symbol, else its name; an answer may
    use either, and define other symbols in its text. E sources with the gain `Ad` or `inf` are ideal op-amps,
    unless the answer itself contains that gain.
    A netlist in lcapy's dialect is read by lcapy's conventions, in each of the ways that its versions have
    (`dialect.readings`). Takes at most MAX_STEPS steps.
    Raises KeyError for an unknown source or output, UnsolvableDeviceError for devices that are not linear, and
    SingularCircuitError for a circuit that has no transfer function.
    """
    unknowns = tuple(f"v({node})" for node in output_nodes(circuit, output))
    quantity = CircuitQuantity(unknowns, source=find_source(circuit, source).name)
    return _best_verdict(answer, readings(circuit), [quantity])


def matches_unknown(answer: str, circuit: Circuit, probe: Probe) -> Verdict:
    """Whether `answer` is the Laplace transform of a node's voltage or of the current of a V, L, E or H.

    All independent sources act, by their values or names, each as a step (V1/s) or each as a value (V1): an answer
    may mean either. Otherwise as `matches_circuit`.
    """
    names = {name.upper() for name in build_equations(to_spice(circuit)).unknowns}
    if not {f"{probe.quantity}({target})".upper() for target in probe.targets if target != GROUND} <= names:
        raise KeyError(f"expected an unknown of the circuit ({', '.join(sorted(names))}), got {probe.card!r}")
    unknowns = tuple(f"{probe.quantity}({target})" for target in probe.targets)
    return _best_verdict(answer, readings(circuit), [CircuitQuantity(unknowns, is_step=step) for step in (True, False)])


def _best_verdict(answer: str, circuits: Iterable[Circuit], quantities: Iterable[CircuitQuantity]) -> Verdict:
    """The best verdict over all that the netlist and the question may mean."""
    budget = Budget(MAX_STEPS)
    verdicts: list[Verdict] = []
    for circuit, quantity in product(circuits, quantities):
        verdicts.append(compare_answer(answer, circuit, quantity, budget))
        if verdicts[-1] is Verdict.EQUAL:
            return Verdict.EQUAL
    return Verdict.OPPOSITE if Verdict.OPPOSITE in verdicts else verdicts[0]


# ------------------------------------------------------------------------------------------------------ two expressions


def _compare_statements(first: Statement, second: Statement, budget: Budget) -> Verdict:
    """How two statements compare. Raises UndecidedError."""
    verdict = compare_formulas(first.result, second.result, budget)
    for a, b in product(_formulas(first), _formulas(second)) if verdict is not Verdict.EQUAL else ():
        if (a.symbols() or b.symbols()) and compare_formulas(a, b, budget) is Verdict.EQUAL:
            verdict = Verdict.EQUAL
    if verdict is Verdict.OPPOSITE and first.is_equation and second.is_equation:
        return Verdict.EQUAL
    if verdict is Verdict.EQUAL and (
        _is_contradicted(first, second, budget) or _is_contradicted(second, first, budget)
    ):
        return Verdict.DIFFERENT
    return verdict


def _is_contradicted(statement: Statement, truth: Statement, budget: Budget) -> bool:
    """Whether a side with no symbols but the truth's and the result's differs from the result."""
    symbols = truth.result.symbols() | statement.result.symbols()
    return statement.number is None and any(
        side.symbols() <= symbols and compare_formulas(side, statement.result, budget) is not Verdict.EQUAL
        for side in statement.equal_sides
    )


def _parse_again(text: str, statement: Statement, reference: Statement, vocabulary: Vocabulary | None) -> Statement:
    """The text read by the symbols of the reference where its own are not all among them.

    A function of s is expected where the reference is one.
    """
    symbols, reference_symbols = _symbols(statement), _symbols(reference)
    if symbols <= reference_symbols and ("s" not in reference_symbols or "s" in symbols):
        return statement
    vocabulary = vocabulary or Vocabulary(reference_symbols, any_case=False)
    return parse_statement(text, vocabulary, is_function_of_s="s" in reference_symbols)


def _parse_defined(
    text: str, reference_text: str, reference: Statement, vocabulary: Vocabulary | None
) -> Statement | None:
    """The text with its definitions substituted; None where the formula has no symbol that is defined.

    Symbols of the vocabulary, and those that the reference leaves undefined, are not substituted.
    """
    vocabulary = vocabulary or Vocabulary((), any_case=False)
    symbols = _symbols(reference)
    vocabulary = vocabulary.union(symbols - find_definitions(reference_text, vocabulary).keys())
    definitions = find_definitions(text, vocabulary)
    return parse_with_definitions(text, definitions, vocabulary, is_function_of_s="s" in symbols)


def _formulas(statement: Statement) -> tuple[Expression, ...]:
    """The formulas that a statement may be taken to answer."""
    return (statement.result, *statement.alternatives)


def _symbols(statement: Statement) -> frozenset[str]:
    return frozenset[str]().union(*(formula.symbols() for formula in _formulas(statement)))
