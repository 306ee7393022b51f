"""Solve a circuit's equations at one point: in a finite field, or with complex numbers of many digits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from circuitvlm.circuit.judge import complex_values, field
from circuitvlm.circuit.judge.budget import Budget
from circuitvlm.circuit.judge.field import PRIME
from circuitvlm.circuit.solve.equations import Entry, Equations
from circuitvlm.circuit.solve.singular import SingularCircuitError

MAX_UNKNOWNS = 400

ENTRY_STEPS = 10
"""Steps of an entry of the matrix, added to those of its value: of `field`, about 0.2 microseconds each."""

COMPLEX_STEPS = 25
"""Steps of the multiplication of two complex numbers of many digits, with the subtraction of the product."""


def solve(system: Equations, sources: Mapping[str, int], point: field.Point, budget: Budget) -> list[int]:
    """Every unknown of the equations, modulo PRIME; independent sources that `sources` does not hold are zero.

    Raises SingularCircuitError, and UndecidedError where the budget is spent.
    """
    size = len(system.unknowns)
    if size > MAX_UNKNOWNS:
        raise SingularCircuitError(f"expected at most {MAX_UNKNOWNS} unknowns to solve for, got {size}")
    rows: list[dict[int, int]] = [{} for _ in range(size)]
    budget.spend(ENTRY_STEPS * len(system.entries))
    for entry in system.entries:
        row = rows[entry.row]
        row[entry.column] = (row.get(entry.column, 0) + entry.sign * _value_in_field(entry, point, budget)) % PRIME
    for number, sign, name in system.sources:
        rows[number][size] = (rows[number].get(size, 0) + sign * sources.get(name, 0)) % PRIME
    return _eliminate(rows, budget)


def solve_complex(system: Equations, source: str, trial: int, budget: Budget) -> list[Any]:
    """The same for one volt or ampere of a source alone, at the point that `complex_values.evaluate` uses."""
    ctx = complex_values.context()
    size = len(system.unknowns)
    budget.spend(COMPLEX_STEPS * (size**3 // 3 + 4 * size**2))
    matrix, right_side = ctx.zeros(size), ctx.zeros(size, 1)
    for entry in system.entries:
        matrix[entry.row, entry.column] += entry.sign * complex_values.evaluate(entry.coefficient, trial, budget)
    for number, sign, name in system.sources:
        right_side[number] += sign * (name == source)
    try:
        return list(ctx.lu_solve(matrix, right_side))
    except ZeroDivisionError as error:
        raise SingularCircuitError(f"expected independent equations, got {error}") from error


def _value_in_field(entry: Entry, point: field.Point, budget: Budget) -> int:
    try:
        return field.evaluate(entry.coefficient, point, budget)
    except ZeroDivisionError as error:
        raise SingularCircuitError(f"expected a finite {entry.kind}, got {error}") from error


def _eliminate(rows: list[dict[int, int]], budget: Budget) -> list[int]:
    """The unknowns, by elimination that takes the row with the fewest entries next.

    A row maps columns to values; column `len(rows)` is the right side. Raises SingularCircuitError where a column has
    no pivot: at random values that is a property of the circuit.
    """
    size = len(rows)
    open_rows = {number: {c: v for c, v in row.items() if v} for number, row in enumerate(rows)}
    pivots: list[tuple[int, dict[int, int]]] = []
    while open_rows:
        number = min(open_rows, key=lambda n: (len(open_rows[n]), n))
        pivot_row = open_rows.pop(number)
        budget.spend(len(open_rows) * (4 + len(pivot_row)) // 4)
        counts = [(sum(c in row for row in open_rows.values()), c) for c in pivot_row if c != size]
        if not counts:
            raise SingularCircuitError(
                f"expected independent equations, got equation {number} of {size} that depends on others:"
                " a floating node or a loop of sources"
            )
        column = min(counts)[1]
        scale = pow(pivot_row.pop(column), -1, PRIME)
        pivot_row = {c: v * scale % PRIME for c, v in pivot_row.items()}
        pivots.append((column, pivot_row))
        for row in open_rows.values():
            if factor := row.pop(column, 0):
                budget.spend(len(pivot_row))
                for c, v in pivot_row.items():
                    if value := (row.get(c, 0) - factor * v) % PRIME:
                        row[c] = value
                    else:
                        row.pop(c, None)
    values = [0] * size
    for column, pivot_row in reversed(pivots):
        budget.spend(len(pivot_row))
        right_side = pivot_row.pop(size, 0)
        values[column] = (right_side - sum(v * values[c] for c, v in pivot_row.items())) % PRIME
    return values
