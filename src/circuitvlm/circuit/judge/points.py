"""How does a formula compare with another, or with a quantity of a circuit, at random points?"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from circuitvlm.circuit.drive import is_ideal
from circuitvlm.circuit.formula.expression import (
    Expression,
    ExpressionError,
    Statement,
    definitions,
    read,
    read_defined,
)
from circuitvlm.circuit.formula.names import Vocabulary
from circuitvlm.circuit.graph import Circuit
from circuitvlm.circuit.judge import complex_values, elimination, field
from circuitvlm.circuit.solve.equations import Equations, equations, value_of, values_of
from circuitvlm.circuit.solve.probe import Probe

TURNS = 3
"""Random points at which two formulas are compared."""

_MOST_TURNS = 8
"""Points that are tried, since one may lie on a pole."""

_ROUNDING = 0.01
"""How far a number may be from the formula before it, relative to that formula's value."""


class Verdict(StrEnum):
    """How an answer compares with the truth."""

    EQUAL = "equal"
    OPPOSITE = "opposite sign"
    DIFFERENT = "different"
    UNREADABLE = "unreadable"


def compared(first: Expression, second: Expression, *, until: float) -> Verdict:
    return _judged(_enough(lambda turn: _values(first, second, turn, until=until)))


def _enough(values: Callable[[int], tuple[Any, Any] | None]) -> list[tuple[Any, Any] | None]:
    """The pairs of values at as many points as decide, or at as many as are tried."""
    pairs: list[tuple[Any, Any] | None] = []
    while len(pairs) < _MOST_TURNS and sum(pair is not None for pair in pairs) < TURNS:
        pairs.append(values(len(pairs)))
    return pairs


def _values(first: Expression, second: Expression, turn: int, *, until: float) -> tuple[Any, Any] | None:
    """Both values at one point; None at a pole."""
    at = field.point(turn)
    try:
        return field.evaluate(first, at), field.evaluate(second, at)
    except ZeroDivisionError:
        return None
    except field.NotRationalError:
        a, b = (complex_values.evaluate(e, turn=turn, until=until) for e in (first, second))
        return a, b


def _judged(pairs: Sequence[tuple[Any, Any] | None]) -> Verdict:
    found = [pair for pair in pairs if pair is not None]
    if len(found) < TURNS:
        return Verdict.UNREADABLE  # no value anywhere: a division by zero
    if all(_same(a, b) for a, b in found):
        return Verdict.EQUAL
    if all(_same(a, -b) for a, b in found):
        return Verdict.OPPOSITE
    return Verdict.DIFFERENT


def _same(a: Any, b: Any) -> bool:
    return (a - b) % field.PRIME == 0 if isinstance(a, int) and isinstance(b, int) else complex_values.agree(a, b)


class Wanted(Protocol):
    """A quantity of a circuit, at a point of the field or of the complex numbers."""

    def residue(self, system: Equations, *, at: field.Point, until: float) -> int: ...

    def number(self, system: Equations, *, turn: int, until: float) -> Any: ...


@dataclass(frozen=True, slots=True)
class Transfer:
    """The voltage of one node against another, for one volt or ampere of a source alone."""

    source: str
    plus: str
    minus: str

    def residue(self, system: Equations, *, at: field.Point, until: float) -> int:
        return elimination.transfer(system, self.source, self.plus, self.minus, at=at, until=until)

    def number(self, system: Equations, *, turn: int, until: float) -> Any:
        return elimination.transfer_complex(system, self.source, self.plus, self.minus, turn=turn, until=until)


@dataclass(frozen=True, slots=True)
class Unknown:
    """A node's voltage, or a current that is an unknown of the equations, with every source acting."""

    circuit: Circuit
    probe: Probe
    step: bool

    def residue(self, system: Equations, *, at: field.Point, until: float) -> int:
        scale = field.inverse(at("s")) if self.step else 1
        sources = [device for device in self.circuit.devices if device.kind in "VI"]
        drive = {d.name: field.evaluate(value_of(d), at) * scale for d in sources}
        answer = dict(zip(system.unknowns, elimination.unknowns(system, drive, at=at, until=until), strict=True))
        first, *second = (answer.get(f"{self.probe.quantity}({of})", 0) for of in self.probe.of)
        return (first - sum(second)) % field.PRIME

    def number(self, system: Equations, *, turn: int, until: float) -> Any:
        raise complex_values.BoundError("only rational formulas are held against an unknown")


class Asked:
    """A quantity that is asked for, and the judge of formulas for it."""

    def __init__(self, circuit: Circuit, wanted: Wanted, *, until: float) -> None:
        self.until = until
        self.wanted = wanted
        self.circuit = circuit
        self.values = values_of(circuit)
        sources = [value_of(d) for d in circuit.devices if d.kind in "VI"]
        self.used = frozenset[str]().union(*(value.symbols() for value in (*self.values.values(), *sources)))
        spelled = {name.lower() for name in self.used}
        self.names = self.used | {d.name for d in circuit.devices if d.name.lower() not in spelled}

    def judged(self, answer: str) -> Verdict:
        """How an answer compares with the circuit's."""
        try:
            verdict = self.stated(read(answer, self.names, is_of_frequency=True))
        except (ExpressionError, complex_values.BoundError):
            return Verdict.UNREADABLE
        if verdict is Verdict.EQUAL:
            return verdict
        own = Vocabulary(self.names).joined(["s"])
        with contextlib.suppress(ExpressionError, complex_values.BoundError):
            told = read_defined(answer, definitions(answer, own), own, is_of_frequency=True)
            found = Verdict.UNREADABLE if told is None else self.stated(told)
            return verdict if found is Verdict.UNREADABLE else found
        return verdict

    def stated(self, stated: Statement) -> Verdict:
        """How what a text states compares with the circuit's. Raises BoundError."""
        verdict = self.verdict(stated.result)
        for reading in stated.readings if verdict is not Verdict.EQUAL else ():
            if self.verdict(reading) is Verdict.EQUAL:
                verdict = Verdict.EQUAL
        return Verdict.DIFFERENT if verdict is Verdict.EQUAL and self.is_contradicted(stated) else verdict

    def verdict(self, stated: Expression) -> Verdict:
        """How one formula compares with the circuit's. Raises BoundError."""
        spoken = stated.symbols()
        gains = {value_of(d).name for d in self.circuit.devices if is_ideal(d)}
        system = equations(self.circuit, ideal=not gains & spoken)
        return _judged(_enough(lambda turn: self._at(stated, system, turn=turn)))

    def is_contradicted(self, stated: Statement) -> bool:
        """Whether a side that speaks of the circuit alone says otherwise than the result; numbers within 1 percent."""
        for side in stated.equal:
            if stated.number is None:
                if side.symbols() <= self.names | {"s", "omega"} and self.verdict(side) is not Verdict.EQUAL:
                    return True
            elif not self._is_near(side, stated.number):
                return True
        return False

    def _is_near(self, side: Expression, number: Expression) -> bool:
        """Whether a formula's value is the number that stands behind it; true where a symbol has no value."""
        known = self._aliases(side)
        if any(name not in known or known[name].op != "number" for name in side.symbols()):
            return True
        exact, said = (complex_values.evaluate(node, turn=0, until=self.until, known=known) for node in (side, number))
        return bool(abs(exact - said) <= _ROUNDING * abs(exact))

    def _aliases(self, stated: Expression) -> dict[str, Expression]:
        """What a device's name means in an answer where its value is called otherwise, or is a number."""
        spoken = stated.symbols()
        return {name: value for name, value in self.values.items() if name in spoken and name not in self.used}

    def _at(self, stated: Expression, system: Equations, *, turn: int) -> tuple[Any, Any] | None:
        """The answer's value and the circuit's at one point; None at a pole of the answer."""
        plain, aliases = field.point(turn), self._aliases(stated)
        truth = self.wanted.residue(system, at=plain, until=self.until)
        known = {name: field.evaluate(value, plain) for name, value in aliases.items()}
        try:
            return field.evaluate(stated, field.point(turn, known)), truth
        except ZeroDivisionError:
            return None
        except field.NotRationalError:
            value = complex_values.evaluate(stated, turn=turn, until=self.until, known=aliases)
            return value, self.wanted.number(system, turn=turn, until=self.until)
