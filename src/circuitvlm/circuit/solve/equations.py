"""Which linear equations does a circuit with symbolic values obey?

Modified nodal analysis (Ho, Ruehli, Brennan, IEEE Trans. Circuits and Systems 22, 1975), kept as a list of entries, so
that a finite field, complex numbers and polynomials can each fill in their own values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from circuitvlm.circuit.drive import UnsolvableDeviceError, is_ideal
from circuitvlm.circuit.formula.expression import Expression, ExpressionError, canonical, parse
from circuitvlm.circuit.graph import GROUND, Circuit, Device

_WORD = re.compile(r"[A-Za-z]\w*")
_EMPTY = frozenset({"", "<empty>"})
_SOLVED = frozenset("RCLVIEGFH")


@dataclass(frozen=True, slots=True)
class Entry:
    """`sign` times the value of a device at (row, column): 1 where there is no value, 1/R, s*C, s*L, or a gain."""

    row: int
    column: int
    sign: int
    kind: str
    value: Expression | None = None


@dataclass(slots=True)
class Equations:
    """A x = b: the currents out of every node but ground sum to 0, and one row for each current that is an unknown.

    `drive` holds the independent sources: (row, sign, source's name).
    """

    unknowns: list[str] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    drive: list[tuple[int, int, str]] = field(default_factory=list)

    def column(self, unknown: str) -> int:
        """The place of v(node) or i(name)."""
        return self.unknowns.index(unknown)


def equations(circuit: Circuit, *, ideal: bool = True) -> Equations:
    """The equations of a circuit of R C L V I E G F H, by SPICE's conventions.

    `ideal`: an E source that `_drive.is_ideal` is an ideal op-amp (its inputs are at one voltage); otherwise
    that name is a symbol. Raises UnsolvableDeviceError.
    """
    return _Stamps(circuit, ideal=ideal).made


def value_of(device: Device) -> Expression:
    """The value of a device: its number, its symbolic text, or its own name where it says nothing.

    Raises UnsolvableDeviceError where the text is no formula.
    """
    if device.value is not None:
        return Expression("number", number=Fraction(repr(device.value)))
    words = device.text.split()[1:] if device.kind in "FH" else device.text.split()
    said = " ".join(words).strip("{}'\"")
    if device.kind == "E" and words:
        said = words[0].strip("{}")  # `Ad 0`: differential and common-mode gain
    if said.lower() in _EMPTY:
        return Expression("symbol", name=device.name)
    if _WORD.fullmatch(said):
        return Expression("symbol", name=canonical(said))
    try:
        return parse(said)
    except ExpressionError as error:
        raise UnsolvableDeviceError(f"{device.name}: its value {said[:40]!r} is no formula ({error})") from error


def values_of(circuit: Circuit) -> dict[str, Expression]:
    """The value of every device that has one, by name."""
    return {d.name: value_of(d) for d in circuit.devices if d.kind in "RCLEGFH"}


class _Stamps:
    """Walks over the devices, with the rows that there are."""

    def __init__(self, circuit: Circuit, *, ideal: bool) -> None:
        self.made = Equations()
        self.values: Mapping[str, Expression] = values_of(circuit)
        self.ideal = ideal
        self.row = {GROUND: -1}
        for node in circuit.nodes:
            if node != GROUND:
                self._unknown(f"v({node})", key=node)
        for device in circuit.devices:
            self._check(device)
            if self._has_branch(device):
                self._unknown(f"i({device.name})", key=f"i({device.name})")
        for device in circuit.devices:
            for entry in self._entries(device):
                if entry.row >= 0 and entry.column >= 0:
                    self.made.entries.append(entry)

    def _unknown(self, name: str, *, key: str) -> None:
        self.row[key] = len(self.made.unknowns)
        self.made.unknowns.append(name)

    @staticmethod
    def _check(device: Device) -> None:
        wanted = 4 if device.kind in "EG" else 2
        if device.kind not in _SOLVED or len(device.nodes) != wanted:
            raise UnsolvableDeviceError(
                f"{device.name}: devices of kind {device.kind} with {len(device.nodes)} nodes are not solved;"
                f" wanted one of {' '.join(sorted(_SOLVED))}"
            )

    def _has_branch(self, device: Device) -> bool:
        if device.kind in "VEHL":
            return True
        return device.kind == "R" and self.values[device.name] == Expression("number", number=Fraction(0))

    def _entries(self, device: Device) -> Iterator[Entry]:
        a, b = self.row[device.nodes[0]], self.row[device.nodes[1]]
        value = self.values.get(device.name)
        if self._has_branch(device):
            row = self.row[f"i({device.name})"]
            yield from (Entry(a, row, 1, "one"), Entry(b, row, -1, "one"))
            yield from self._branch(device, row, value)
        elif device.kind in "RC":
            kind = "conductance" if device.kind == "R" else "capacitance"
            for first, second in ((a, b), (b, a)):
                yield Entry(first, first, 1, kind, value)
                yield Entry(first, second, -1, kind, value)
        elif device.kind == "I":
            self.made.drive += [(row, sign, device.name) for row, sign in ((a, -1), (b, 1)) if row >= 0]
        elif device.kind == "G":
            plus, minus = (self.row[node] for node in device.nodes[2:])
            for row, sign in ((a, 1), (b, -1)):
                yield Entry(row, plus, sign, "gain", value)
                yield Entry(row, minus, -sign, "gain", value)
        else:
            control = self._control(device)
            yield from (Entry(a, control, 1, "gain", value), Entry(b, control, -1, "gain", value))

    def _branch(self, device: Device, row: int, value: Expression | None) -> Iterator[Entry]:
        """The row of a current that is an unknown."""
        a, b = self.row[device.nodes[0]], self.row[device.nodes[1]]
        if device.kind == "E":
            plus, minus = (self.row[node] for node in device.nodes[2:])
            if self.ideal and is_ideal(device):
                yield from (Entry(row, plus, 1, "one"), Entry(row, minus, -1, "one"))
                return
            yield from (Entry(row, plus, -1, "gain", value), Entry(row, minus, 1, "gain", value))
        yield from (Entry(row, a, 1, "one"), Entry(row, b, -1, "one"))
        if device.kind == "V":
            self.made.drive.append((row, 1, device.name))
        elif device.kind == "H":
            yield Entry(row, self._control(device), -1, "gain", value)
        elif device.kind == "L":
            yield Entry(row, row, -1, "inductance", value)

    def _control(self, device: Device) -> int:
        name = device.text.split(" ")[0].upper()
        if f"i({name})" not in self.row:
            known = [key[2:-1] for key in self.row if key.startswith("i(")]
            raise UnsolvableDeviceError(
                f"{device.name} is controlled by {name[:40]!r}; currents that can control: {', '.join(known) or 'none'}"
            )
        return self.row[f"i({name})"]
