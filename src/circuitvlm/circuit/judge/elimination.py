"""What solves a circuit's equations at one point? Elimination in a finite field, and with many complex digits."""

from __future__ import annotations

import time
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from circuitvlm.circuit.formula.expression import Expression
from circuitvlm.circuit.graph import GROUND
from circuitvlm.circuit.judge import complex_values, field
from circuitvlm.circuit.judge.field import PRIME
from circuitvlm.circuit.solve.equations import Entry, Equations
from circuitvlm.circuit.solve.singular import SingularCircuitError

MOST_UNKNOWNS = 400
_S = Expression("symbol", name="s")
_ONE = Expression("number", number=Fraction(1))


def transfer(system: Equations, source: str, plus: str, minus: str, *, at: field.Point, until: float) -> int:
    """The voltage of node `plus` against `minus`, modulo PRIME, for one volt or ampere of the source alone.

    Raises SingularCircuitError, and BoundError past `until`.
    """
    answer = unknowns(system, {source: 1}, at=at, until=until)
    volts: int = (_voltage(system, answer, plus) - _voltage(system, answer, minus)) % PRIME
    return volts


def unknowns(system: Equations, drive: Mapping[str, int], *, at: field.Point, until: float) -> list[int]:
    """Every unknown of the equations, modulo PRIME, with the sources of `drive` at its values and the others at zero.

    Raises SingularCircuitError, and BoundError past `until`.
    """
    size = len(system.unknowns)
    if size > MOST_UNKNOWNS:
        raise SingularCircuitError(f"{size} unknowns; at most {MOST_UNKNOWNS} are solved symbolically")
    rows: list[dict[int, int]] = [{} for _ in range(size)]
    for entry in system.entries:
        row = rows[entry.row]
        row[entry.column] = (row.get(entry.column, 0) + entry.sign * _coefficient(entry, at)) % PRIME
    for number, sign, name in system.drive:
        rows[number][size] = (rows[number].get(size, 0) + sign * drive.get(name, 0)) % PRIME
    return _eliminated(rows, size, until=until)


def transfer_complex(system: Equations, source: str, plus: str, minus: str, *, turn: int, until: float) -> Any:
    """The same with mpmath's complex numbers, at the point that `complex_values.evaluate` uses."""
    context = complex_values.context()
    size = len(system.unknowns)
    matrix, right = context.zeros(size), context.zeros(size, 1)
    for entry in system.entries:
        node = _as_expression(entry)
        matrix[entry.row, entry.column] += entry.sign * complex_values.evaluate(node, turn=turn, until=until)
    for number, sign, name in system.drive:
        right[number] += sign * (name == source)
    try:
        answer = list(context.lu_solve(matrix, right))
    except ZeroDivisionError as error:
        raise SingularCircuitError("the circuit's equations are singular") from error
    return _voltage(system, answer, plus) - _voltage(system, answer, minus)


def _voltage(system: Equations, answer: list[Any], node: str) -> Any:
    return 0 if node == GROUND else answer[system.column(f"v({node})")]


def _coefficient(entry: Entry, at: field.Point) -> int:
    if entry.value is None:
        return 1
    try:
        value = field.evaluate(entry.value, at)
        if entry.kind == "conductance":
            return field.inverse(value)
    except ZeroDivisionError as error:
        raise SingularCircuitError("a resistance is zero, or a value has no finite size") from error
    return value * at("s") % PRIME if entry.kind in ("capacitance", "inductance") else value


def _as_expression(entry: Entry) -> Expression:
    if entry.value is None:
        return _ONE
    if entry.kind == "conductance":
        return Expression("inv", (entry.value,))
    return Expression("*", (_S, entry.value)) if entry.kind in ("capacitance", "inductance") else entry.value


def _eliminated(rows: list[dict[int, int]], size: int, *, until: float) -> list[int]:
    """The unknowns, by elimination that takes the row with the fewest entries next; column `size` is the right side.

    Raises SingularCircuitError where a column has no pivot: at random values that is the circuit's own fault.
    """
    open_rows = {number: {c: v for c, v in row.items() if v} for number, row in enumerate(rows)}
    pivots: list[tuple[int, dict[int, int]]] = []
    while open_rows:
        if time.thread_time() > until:
            raise complex_values.BoundError("the circuit took too long")
        number = min(open_rows, key=lambda n: (len(open_rows[n]), n))
        row = open_rows.pop(number)
        counts = [(sum(c in other for other in open_rows.values()), c) for c in row if c != size]
        if not counts:
            raise SingularCircuitError("the circuit's equations are singular: a floating node or a loop of sources")
        column = min(counts)[1]
        scale = pow(row[column], -1, PRIME)
        row = {c: v * scale % PRIME for c, v in row.items()}
        pivots.append((column, row))
        for other in open_rows.values():
            if factor := other.pop(column, 0):
                for c, v in row.items():
                    if c != column:
                        if changed := (other.get(c, 0) - factor * v) % PRIME:
                            other[c] = changed
                        else:
                            other.pop(c, None)
    answer = [0] * size
    for column, row in reversed(pivots):
        rest = sum(v * answer[c] for c, v in row.items() if c not in (column, size))
        answer[column] = (row.get(size, 0) - rest) % PRIME
    return answer
