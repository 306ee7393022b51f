"""Is this formula right? Decided exactly, without forming or simplifying an expression."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

from circuitvlm.circuit import _complex, _field, _solve
from circuitvlm.circuit._drive import is_ideal
from circuitvlm.circuit._equations import Equations, equations, value_of, values_of
from circuitvlm.circuit._mathlex import Vocabulary
from circuitvlm.circuit.dialect import to_spice
from circuitvlm.circuit.expression import Expression, ExpressionError, parse
from circuitvlm.circuit.graph import GROUND, Circuit, Device

__all__ = ["Verdict", "equal_expressions", "matches_circuit"]

SECONDS = 0.8
"""Longest time that a comparison may take; what is not decided by then is not accepted."""

TURNS = 3
"""Random points at which two formulas are compared."""

_MOST_TURNS = 8
"""Points that are tried, since one may lie on a pole."""


class Verdict(StrEnum):
    """How an answer compares with the truth."""

    EQUAL = "equal"
    OPPOSITE = "opposite sign"
    DIFFERENT = "different"
    UNREADABLE = "unreadable"


def equal_expressions(a: str, b: str, symbols: Iterable[str] | None = None) -> Verdict:
    """Whether two texts state one formula, one the negative of the other, or neither.

    Both are evaluated at random points of a finite field of 2^61 elements (an error has a probability below 1e-14);
    those with roots or functions at random complex points with 40 digits, s in the right half plane and all other
    symbols positive. Without `symbols`, a run of letters in one text is read by the symbols of the other (`sRC`
    beside `s*R*C`). A text that is no formula, or has no value anywhere, is "unreadable". Ends within a second; safe
    in threads; nothing is executed.
    """
    until = time.monotonic() + SECONDS
    try:
        first, second = _both(a, b, symbols)
        pairs: list[tuple[Any, Any] | None] = []
        for turn in range(_MOST_TURNS):
            pairs.append(_values(first, second, turn, until=until))
            if sum(pair is not None for pair in pairs) == TURNS:
                break
        return _judged(pairs)
    except (ExpressionError, _complex.BoundError):
        return Verdict.UNREADABLE


def matches_circuit(answer: str, circuit: Circuit, source: str = "V1", output: str | Sequence[str] = "C1") -> Verdict:
    """Whether `answer` is the transfer function of the circuit from the source to the voltage of the output.

    `source` is the name of a V or I; the others are set to zero. `output` is a device (the voltage of its first node
    against its second), a node (against ground), or two nodes, as ("3", "2") or "v(3,2)". The circuit's equations are
    solved in a finite field with random values for its symbols, and the answer evaluated at the same values: exact,
    with no transfer function formed. A device without a number has its text as symbol, else its name; an answer may
    use either. E sources with the gain `Ad` or `inf` are ideal op-amps, unless the answer itself speaks of that gain.
    A netlist in lcapy's dialect is read by lcapy's conventions (`dialect.to_spice`). Ends within a second.
    Raises KeyError for an unknown source or output, UnsolvableDeviceError for devices that are not linear, and
    SingularCircuitError for a circuit that has no transfer function.
    """
    until = time.monotonic() + SECONDS
    plus, minus = output_nodes(circuit, output)
    driver = source_of(circuit, source)
    spice = to_spice(circuit)
    names = _symbols(spice)
    try:
        stated = parse(answer, names)
    except ExpressionError:
        return Verdict.UNREADABLE
    spoken = stated.symbols()
    gains = {value_of(d).name for d in spice.devices if is_ideal(d)}
    system = equations(spice, ideal=not gains & spoken)
    aliases = _aliases(spice, spoken)
    pairs: list[tuple[Any, Any] | None] = []
    try:
        for turn in range(_MOST_TURNS):
            pairs.append(_at(stated, system, aliases, (driver.name, plus, minus), turn=turn, until=until))
            if sum(pair is not None for pair in pairs) == TURNS:
                break
        return _judged(pairs)
    except _complex.BoundError:
        return Verdict.UNREADABLE


def output_nodes(circuit: Circuit, output: str | Sequence[str]) -> tuple[str, str]:
    """The two nodes whose voltage is meant. Raises KeyError with the names there are."""
    if isinstance(output, str):
        for device in circuit.devices:
            if device.name.upper() == output.strip().upper() and len(device.nodes) > 1:
                return device.nodes[0], device.nodes[1]
        inner = output.strip().removesuffix(")")
        inner = inner[2:] if inner[:2].lower() == "v(" else inner
        asked = [part.strip() for part in inner.split(",")]
    else:
        asked = [str(part) for part in output]
    known = {node.lower(): node for node in (*circuit.nodes, GROUND)}
    if not 1 <= len(asked) <= 2 or any(node.lower() not in known for node in asked):
        devices = ", ".join(d.name for d in circuit.devices)
        raise KeyError(f"output {output!r} is no device and no node; devices: {devices}; nodes: {', '.join(known)}")
    plus, minus = (*asked, GROUND)[:2]
    return known[plus.lower()], known[minus.lower()]


def source_of(circuit: Circuit, source: str) -> Device:
    """The independent source of that name. Raises KeyError with the names there are."""
    for device in circuit.devices:
        if device.name.upper() == source.strip().upper() and device.kind in "VI":
            return device
    there = ", ".join(d.name for d in circuit.devices if d.kind in "VI") or "none"
    raise KeyError(f"no independent source {source!r}; the circuit has {there}")


# ------------------------------------------------------------------------------------------------------ two expressions


def _both(a: str, b: str, symbols: Iterable[str] | None) -> tuple[Expression, Expression]:
    if symbols is not None:
        known = list(symbols)
        return parse(a, known), parse(b, known)
    plain = parse(a), parse(b)
    if plain[0] == plain[1]:
        return plain
    return _again(a, plain[1], plain[0]), _again(b, plain[0], plain[1])


def _again(text: str, other: Expression, plain: Expression) -> Expression:
    """The text read by the other's symbols, where its own are not all among them."""
    theirs = other.symbols()
    if plain.symbols() <= theirs:
        return plain
    return parse(text, Vocabulary(theirs, any_case=False))


def _values(first: Expression, second: Expression, turn: int, *, until: float) -> tuple[Any, Any] | None:
    """Both values at one point; None at a pole."""
    at = _field.point(turn)
    try:
        return _field.evaluate(first, at), _field.evaluate(second, at)
    except ZeroDivisionError:
        return None
    except _field.NotRationalError:
        a, b = (_complex.evaluate(e, turn=turn, until=until) for e in (first, second))
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
    return (a - b) % _field.PRIME == 0 if isinstance(a, int) and isinstance(b, int) else _complex.agree(a, b)


# --------------------------------------------------------------------------------------------- a formula and a circuit


def _symbols(circuit: Circuit) -> set[str]:
    """The symbols of the values, and the names of the devices that are called otherwise."""
    names = {name for value in values_of(circuit).values() for name in value.symbols()}
    spelled = {name.lower() for name in names}
    return names | {device.name for device in circuit.devices if device.name.lower() not in spelled}


def _aliases(circuit: Circuit, spoken: frozenset[str]) -> dict[str, Expression]:
    """What a device's name means in an answer where its value is called otherwise, or is a number."""
    values = values_of(circuit)
    used = {name for value in values.values() for name in value.symbols()}
    return {name: value for name, value in values.items() if name in spoken and name not in used}


def _at(
    stated: Expression,
    system: Equations,
    aliases: Mapping[str, Expression],
    asked: tuple[str, str, str],
    *,
    turn: int,
    until: float,
) -> tuple[Any, Any] | None:
    """The answer's value and the circuit's at one point; None at a pole of the answer."""
    plain = _field.point(turn)
    truth = _solve.transfer(system, *asked, at=plain, until=until)
    known = {name: _field.evaluate(value, plain) for name, value in aliases.items()}
    try:
        return _field.evaluate(stated, _field.point(turn, known)), truth
    except ZeroDivisionError:
        return None
    except _field.NotRationalError:
        value = _complex.evaluate(stated, turn=turn, until=until, known=aliases)
        return value, _solve.transfer_complex(system, *asked, turn=turn, until=until)
