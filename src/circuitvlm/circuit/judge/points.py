"""Compare a formula with another one, or with a quantity of a circuit, at random points."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from circuitvlm.circuit.formula.expression import (
    Expression,
    ExpressionError,
    Statement,
    find_definitions,
    parse_statement,
    parse_with_definitions,
)
from circuitvlm.circuit.formula.vocabulary import Vocabulary
from circuitvlm.circuit.graph import Circuit
from circuitvlm.circuit.judge import complex_values, elimination, field
from circuitvlm.circuit.judge.budget import Budget, UndecidedError
from circuitvlm.circuit.solve.equations import Equations, build_equations, symbolic_value, symbolic_values
from circuitvlm.circuit.values import is_ideal_opamp

POINTS = 3
"""Random points at which two formulas are compared."""

CHARACTER_STEPS = 25
"""Steps of reading one character of a device's value: of `field`, about 0.2 microseconds each."""

_MAX_TRIALS = 8
"""Points that are tried, since one may lie on a pole."""

_ROUNDING = 0.01
"""How far a number may be from the formula before it, relative to that formula's value."""


class Verdict(StrEnum):
    """How an answer compares with the truth."""

    EQUAL = "equal"
    OPPOSITE = "opposite sign"
    DIFFERENT = "different"
    UNREADABLE = "unreadable"


def compare_formulas(first: Expression, second: Expression, budget: Budget) -> Verdict:
    """How two formulas compare. Raises UndecidedError."""
    pair = (first, second)
    return _compare_values(
        lambda trial: [field.evaluate(formula, field.random_point(trial), budget) for formula in pair],
        lambda trial: [complex_values.evaluate(formula, trial, budget) for formula in pair],
    )


def _compare_values(in_field: Callable[[int], Sequence[int]], as_complex: Callable[[int], Sequence[Any]]) -> Verdict:
    """The verdict on two formulas, from functions that give both values at the point of a number.

    Complex numbers are used at a point where one of the formulas is not rational; poles are left out.
    """
    equal: list[bool] = []
    opposite: list[bool] = []
    for trial in range(_MAX_TRIALS):
        try:
            a, b = in_field(trial)
            equal.append((a - b) % field.PRIME == 0)
            opposite.append((a + b) % field.PRIME == 0)
        except ZeroDivisionError:
            continue
        except field.NotRationalError:
            a, b = as_complex(trial)
            equal.append(complex_values.are_equal(a, b))
            opposite.append(complex_values.are_equal(a, -b))
        if len(equal) == POINTS:
            return Verdict.EQUAL if all(equal) else Verdict.OPPOSITE if all(opposite) else Verdict.DIFFERENT
    return Verdict.UNREADABLE  # no value anywhere: a division by zero


@dataclass(frozen=True, slots=True)
class CircuitQuantity:
    """The first of some unknowns of a circuit's equations, less the others: `v(2)` and `v(3)`, or `i(V1)`.

    A name that is no unknown, as `v(0)`, has the value 0. With a `source`, for one volt or ampere of it alone, else
    with all sources acting, each as a step (V1/s) where `is_step`.
    """

    unknowns: tuple[str, ...]
    source: str = ""
    is_step: bool = False


def compare_answer(answer: str, circuit: Circuit, quantity: CircuitQuantity, budget: Budget) -> Verdict:
    """How the formula that an answer states compares with the quantity of the circuit."""
    try:
        judge = _CircuitJudge(circuit, quantity, budget)
        verdict = judge.compare_statement(parse_statement(answer, judge.names, is_function_of_s=True))
    except (ExpressionError, UndecidedError):
        return Verdict.UNREADABLE
    if verdict is Verdict.EQUAL:
        return verdict
    vocabulary = Vocabulary(judge.names).union(["s"])
    with contextlib.suppress(ExpressionError, UndecidedError):
        definitions = find_definitions(answer, vocabulary)
        statement = parse_with_definitions(answer, definitions, vocabulary, is_function_of_s=True)
        if statement is not None and (new_verdict := judge.compare_statement(statement)) is not Verdict.UNREADABLE:
            return new_verdict
    return verdict


class _CircuitJudge:
    """Compares formulas with one quantity of one circuit."""

    def __init__(self, circuit: Circuit, quantity: CircuitQuantity, budget: Budget) -> None:
        self.circuit = circuit
        self.quantity = quantity
        self.budget = budget
        self.systems: dict[bool, Equations] = {}
        self._spend_on_devices()
        values = symbolic_values(circuit)
        self.sources = {d.name: symbolic_value(d) for d in circuit.devices if d.kind in "VI"}
        symbols = frozenset[str]().union(*(value.symbols() for value in (*values.values(), *self.sources.values())))
        lower_case = {name.lower() for name in symbols}
        self.names = symbols | {d.name for d in circuit.devices if d.name.lower() not in lower_case}
        self.gains = {symbolic_value(d).name for d in circuit.devices if is_ideal_opamp(d)}
        # What a device's name means in an answer where its value is called otherwise, or is a number.
        self.aliases = {name: value for name, value in values.items() if name not in symbols}

    def compare_statement(self, statement: Statement) -> Verdict:
        """How what a text states compares with the circuit's quantity. Raises UndecidedError."""
        verdict = self.compare_formula(statement.result)
        if verdict is not Verdict.EQUAL:
            verdicts = [self.compare_formula(formula) for formula in statement.alternatives]
            verdict = Verdict.EQUAL if Verdict.EQUAL in verdicts else verdict
        return Verdict.DIFFERENT if verdict is Verdict.EQUAL and self._is_contradicted(statement) else verdict

    def compare_formula(self, formula: Expression) -> Verdict:
        """How one formula compares with the circuit's quantity. Raises UndecidedError."""
        ideal = self.gains.isdisjoint(formula.symbols())
        if ideal not in self.systems:
            self._spend_on_devices()
            self.systems[ideal] = build_equations(self.circuit, ideal=ideal)
        system, aliases = self.systems[ideal], self._aliases_of(formula)

        def in_field(trial: int) -> tuple[int, int]:
            point = field.random_point(trial)
            truth = self._truth_in_field(system, point)
            values = {name: field.evaluate(value, point, self.budget) for name, value in aliases.items()}
            return field.evaluate(formula, field.random_point(trial, values), self.budget), truth

        def as_complex(trial: int) -> tuple[Any, Any]:
            value = complex_values.evaluate(formula, trial, self.budget, aliases)
            return value, self._truth_as_complex(system, trial)

        return _compare_values(in_field, as_complex)

    def _truth_in_field(self, system: Equations, point: field.Point) -> int:
        if self.quantity.source:
            sources = {self.quantity.source: 1}
        else:
            scale = field.inverse(point("s")) if self.quantity.is_step else 1
            sources = {name: field.evaluate(value, point, self.budget) * scale for name, value in self.sources.items()}
        value: int = self._difference(system, elimination.solve(system, sources, point, self.budget))
        return value

    def _truth_as_complex(self, system: Equations, trial: int) -> Any:
        if not self.quantity.source:
            raise UndecidedError(f"{self.quantity.unknowns}: expected a rational formula, got a root or a function")
        values = elimination.solve_complex(system, self.quantity.source, trial, self.budget)
        return self._difference(system, values)

    def _difference(self, system: Equations, values: Sequence[Any]) -> Any:
        values_by_name = dict(zip(system.unknowns, values, strict=True))
        plus, *minus = (values_by_name.get(name, 0) for name in self.quantity.unknowns)
        return plus - sum(minus)

    def _is_contradicted(self, statement: Statement) -> bool:
        """Whether a side with no symbols but the circuit's differs from the result; numbers by more than 1 percent."""
        if statement.number is not None:
            return not all(self._is_near(side, statement.number) for side in statement.equal_sides)
        symbols = self.names | {"s", "omega"}
        return any(
            side.symbols() <= symbols and self.compare_formula(side) is not Verdict.EQUAL
            for side in statement.equal_sides
        )

    def _is_near(self, side: Expression, number: Expression) -> bool:
        """Whether a formula's value is the number that follows it; true where a symbol has no value."""
        aliases = self._aliases_of(side)
        if any(name not in aliases or aliases[name].op != "number" for name in side.symbols()):
            return True
        exact, stated_value = (complex_values.evaluate(formula, 0, self.budget, aliases) for formula in (side, number))
        return bool(abs(exact - stated_value) <= _ROUNDING * abs(exact))

    def _aliases_of(self, formula: Expression) -> dict[str, Expression]:
        return {name: self.aliases[name] for name in formula.symbols() if name in self.aliases}

    def _spend_on_devices(self) -> None:
        self.budget.spend(CHARACTER_STEPS * sum(1 + len(device.text) for device in self.circuit.devices))
