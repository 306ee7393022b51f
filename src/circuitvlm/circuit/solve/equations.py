"""Build the linear equations of a circuit with symbolic values.

The method is modified nodal analysis (Ho, Ruehli, Brennan, IEEE Trans. Circuits and Systems 22, 1975). The matrix is a
list of entries, so that a finite field, complex numbers and polynomials can each use their own values.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import product

from circuitvlm.circuit.formula.expression import Expression, ExpressionError, canonical_name, parse
from circuitvlm.circuit.graph import GROUND, Circuit, Device
from circuitvlm.circuit.values import UnsolvableDeviceError, check_solvable, is_ideal_opamp

_WORD = re.compile(r"[A-Za-z]\w*")
_ZERO, _ONE = Expression("number"), Expression("number", number=Fraction(1))
_S = Expression("symbol", name="s")


@dataclass(frozen=True, slots=True)
class Entry:
    """`sign` times a value at (row, column): 1 for the kind "one", otherwise 1/R, s*C, s*L, or a gain."""

    row: int
    column: int
    sign: int
    kind: str
    value: Expression | None = None

    @property
    def coefficient(self) -> Expression:
        """The factor of the unknown in the entry, without its sign."""
        value = self.value or _ONE
        if self.kind == "conductance":
            return Expression("inv", (value,))
        return Expression("*", (_S, value)) if self.kind in ("capacitance", "inductance") else value


@dataclass(slots=True)
class Equations:
    """The equations A x = b. The currents out of each node but ground sum to 0; each unknown current has one more row.

    `sources` holds the independent sources in b, as (row, sign, name of the source).
    """

    unknowns: list[str] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    sources: list[tuple[int, int, str]] = field(default_factory=list)

    def column(self, unknown: str) -> int:
        """The column of v(node) or i(name)."""
        return self.unknowns.index(unknown)


def build_equations(circuit: Circuit, *, ideal: bool = True) -> Equations:
    """The equations of a circuit of R C L V I E G F H, by SPICE's conventions.

    With `ideal`, an E source for which `values.is_ideal_opamp` holds is an ideal op-amp, whose inputs have one voltage.
    Otherwise its gain is a symbol. Raises UnsolvableDeviceError.
    """
    return _Builder(circuit, ideal=ideal).equations


def symbolic_value(device: Device) -> Expression:
    """The value of a device: its number, its symbolic text, or its own name where it has no value.

    Raises UnsolvableDeviceError where the text is no formula.
    """
    if device.value is not None:
        return Expression("number", number=Fraction(repr(device.value)))
    words = device.text.split()[1:] if device.kind in "FH" else device.text.split()
    text = " ".join(words).strip("{}'\"")
    if device.kind == "E" and words:
        text = words[0].strip("{}")  # `Ad 0`: differential and common-mode gain
    is_empty = text.lower() in ("", "<empty>")
    if is_empty or _WORD.fullmatch(text):
        return Expression("symbol", name=device.name if is_empty else canonical_name(text))
    try:
        return parse(text)
    except ExpressionError as error:
        raise UnsolvableDeviceError(
            f"{device.name}: expected a formula as value, got {text[:40]!r} ({error})"
        ) from error


def symbolic_values(circuit: Circuit) -> dict[str, Expression]:
    """The value of every device that has one, by name."""
    return {d.name: symbolic_value(d) for d in circuit.devices if d.kind in "RCLEGFH"}


class _Builder:
    """Adds the entries of one device after the other. Ground has the row -1, which is left out."""

    def __init__(self, circuit: Circuit, *, ideal: bool) -> None:
        self._values = symbolic_values(circuit)
        self._ideal = ideal
        for device in circuit.devices:
            check_solvable(device)
        voltages = [f"v({node})" for node in circuit.nodes if node != GROUND]
        currents = [f"i({device.name})" for device in circuit.devices if self._has_branch(device)]
        self.equations = Equations(unknowns=voltages + currents)
        self._rows = {f"v({GROUND})": -1} | {name: i for i, name in enumerate(self.equations.unknowns)}
        for device in circuit.devices:
            self._stamp(device)

    def _has_branch(self, device: Device) -> bool:
        return device.kind in "VEHL" or (device.kind == "R" and self._values[device.name] == _ZERO)

    def _add(
        self, rows: Sequence[int], columns: Sequence[int], sign: int, kind: str = "one", value: Expression | None = None
    ) -> None:
        """Add an entry for each row and column; the second of two rows, or of two columns, has the opposite sign."""
        for (i, row), (j, column) in product(enumerate(rows), enumerate(columns)):
            if row >= 0 and column >= 0:
                self.equations.entries.append(Entry(row, column, sign if i == j else -sign, kind, value))

    def _stamp(self, device: Device) -> None:
        """Add the entries of the device."""
        a, b, *inputs = (self._rows[f"v({node})"] for node in device.nodes)
        value = self._values.get(device.name)
        if self._has_branch(device):
            self._stamp_branch(device, a, b, inputs)
        elif device.kind == "I":
            self.equations.sources += [(row, sign, device.name) for row, sign in ((a, -1), (b, 1)) if row >= 0]
        elif device.kind == "F":
            self._add([a, b], [self._control_row(device)], 1, "gain", value)
        else:
            kind = {"R": "conductance", "C": "capacitance", "G": "gain"}[device.kind]
            self._add([a, b], inputs or [a, b], 1, kind, value)

    def _stamp_branch(self, device: Device, a: int, b: int, inputs: list[int]) -> None:
        """Add the entries of a device whose current is an unknown."""
        row, value = self._rows[f"i({device.name})"], self._values.get(device.name)
        self._add([a, b], [row], 1)
        if device.kind == "E" and self._ideal and is_ideal_opamp(device):
            a, b = inputs
        elif device.kind == "E":
            self._add([row], inputs, -1, "gain", value)
        self._add([row], [a, b], 1)
        if device.kind == "V":
            self.equations.sources.append((row, 1, device.name))
        elif device.kind == "H":
            self._add([row], [self._control_row(device)], -1, "gain", value)
        elif device.kind == "L":
            self._add([row], [row], -1, "inductance", value)

    def _control_row(self, device: Device) -> int:
        name = device.text.split(" ")[0].upper()
        if f"i({name})" not in self._rows:
            names = ", ".join(key[2:-1] for key in self._rows if key.startswith("i(")) or "none"
            raise UnsolvableDeviceError(
                f"{device.name}: expected a device with an unknown current as control ({names}), got {name[:40]!r}"
            )
        return self._rows[f"i({name})"]
