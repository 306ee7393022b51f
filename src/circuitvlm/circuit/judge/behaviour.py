"""Decide whether two circuits behave the same: every device of one does what its namesake in the other does."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from circuitvlm.circuit.dialect import to_spice
from circuitvlm.circuit.graph import GROUND, LINEAR_KINDS, Circuit, Device
from circuitvlm.circuit.judge.equivalence import compare, same_devices
from circuitvlm.circuit.solve.numeric import solve

FREQUENCY = 1000.0
"""Where phasors are compared, in hertz."""

TOLERANCE = 1e-6
"""Relative difference up to which two powers or voltages are the same."""

MAX_SIZE = 500
"""Most devices and nodes together of a circuit that is solved: well under a second."""

_POWER_ROUNDING, _VOLTAGE_ROUNDING = 1e-11, 1e-9
"""Of the largest power or voltage at a frequency: a smaller one may be the solver's rounding."""

_CROSS_ROUNDING = 1e-4
"""As much of the largest at the other frequency counts too: behind a capacitor all power at 0 Hz is rounding."""

_LEAST_VALUES = {"R": 1e3, "C": 1e-8, "L": 0.1, "V": 1.0, "I": 1e-3, "E": 2.0, "G": 1e-3, "F": 2.0, "H": 1e3}
"""Least value of a device without a number, in base units: impedances are then similar at `FREQUENCY`."""

_Numbers = NDArray[np.complex128]


def same_behaviour(a: Circuit, b: Circuit) -> bool:
    """Whether the circuits have the same devices by name with the same values, and each of them does the same.

    That is `equivalence.same_devices`, and, in exact solutions at 1 kHz and (where both have one) at 0 Hz: every device
    takes up the same complex power, and the nodes can be paired so that both of a pair have the same voltages against
    ground. Same is within 1e-6 (relative), or within 1e-11 of the largest power, 1e-9 of the largest voltage. Nodes may
    have other names, and a device may be connected to another node of the same voltage. Where no current flows, wiring
    makes no difference, nor does the current of a source of 0 V, which takes up no power.

    A device without a number, `Ad` of an op-amp included, gets one by its symbol (its name, where it has none): always
    the same, and the same for all devices of a kind that state this symbol; a formula is taken as one symbol. lcapy's
    netlists are read by its conventions (`dialect.to_spice`). Circuits that `equivalence.compare` finds the same by
    names are not solved. Some circuits must have equal `values` instead, since solving cannot decide: those with
    devices that are not linear, no unique answer at 1 kHz, no source, two devices of one name, or over 500 devices and
    nodes. Never raises; takes a bounded number of steps.
    """
    if not same_devices(a, b):
        return False
    comparison = compare(a, b)
    if comparison.names:
        return True
    solutions_agree = _solutions_agree(to_spice(a), to_spice(b))
    return comparison.values if solutions_agree is None else solutions_agree


@dataclass(frozen=True, slots=True, eq=False)
class _Solution:
    """What the devices take up, in the order of their names, and the nodes' voltages; a column for each frequency."""

    powers: _Numbers
    voltages: _Numbers

    @property
    def is_zero(self) -> bool:
        return not (self.powers.any() or self.voltages.any())

    def join(self, solution: _Solution) -> _Solution:
        return _Solution(np.hstack([self.powers, solution.powers]), np.hstack([self.voltages, solution.voltages]))


def _solutions_agree(a: Circuit, b: Circuit) -> bool | None:
    """None where the solutions cannot decide."""
    namesakes = {device.name.upper(): _with_number(device) for device in a.devices}
    if len(namesakes) < len(a.devices) or any(len(c.devices) + len(c.nodes) > MAX_SIZE for c in (a, b)):
        return None
    # Both with the numbers of one, so that values that differ within their tolerance do not add up.
    pair = [_with_values(circuit, namesakes) for circuit in (a, b)]
    first, second = (_solve(circuit, FREQUENCY) for circuit in pair)
    if first is None or second is None:
        return None
    first_at_0_hz, second_at_0_hz = (_solve(circuit, 0.0) for circuit in pair)
    if first_at_0_hz is not None and second_at_0_hz is not None:
        first, second = first.join(first_at_0_hz), second.join(second_at_0_hz)
    return None if first.is_zero and second.is_zero else _are_same(first, second)


def _with_values(circuit: Circuit, namesakes: Mapping[str, Device]) -> Circuit:
    """The circuit with the values of the namesakes of its devices."""
    pairs = [(_with_number(device), namesakes[device.name.upper()]) for device in circuit.devices]
    return replace(circuit, devices=tuple(replace(device, value=n.value, ac=n.ac) for device, n in pairs))


def _with_number(device: Device) -> Device:
    """The device with a number in place of a symbol."""
    if device.value is not None or device.kind not in LINEAR_KINDS:
        return device
    reference, text = device.text.partition(" ")[::2] if device.kind in "FH" else ("", device.text)
    symbol = text.strip("{}'\"").casefold()
    name = device.name.casefold() if symbol in ("", "<empty>") else symbol
    return replace(device, value=_number_of(name, kind=device.kind), text=reference)


def _number_of(symbol: str, *, kind: str) -> float:
    """Between the kind's least value and ten times that, log-uniform, decided by the symbol alone."""
    digest = blake2b(symbol.encode("utf-8", "replace"), digest_size=8).digest()
    return _LEAST_VALUES[kind] * math.pow(10.0, int.from_bytes(digest) / 2**64)


def _solve(circuit: Circuit, frequency_hz: float) -> _Solution | None:
    """None where there is no unique answer, or none that doubles can hold."""
    names = sorted((device.name for device in circuit.devices), key=str.upper)
    nodes = [node for node in circuit.nodes if node != GROUND]
    try:
        solution = solve(circuit, frequency_hz)
        powers, voltages = (
            np.array([[quantity(name)] for name in arguments], dtype=np.complex128).reshape(-1, 1)
            for quantity, arguments in ((solution.power, names), (solution.voltage, nodes))
        )
    except (ValueError, ArithmeticError):
        return None
    return _Solution(powers, voltages) if np.isfinite(powers).all() and np.isfinite(voltages).all() else None


def _are_same(first: _Solution, second: _Solution) -> bool:
    if (
        len(first.voltages) != len(second.voltages)
        or not _are_near(first.powers, second.powers, rounding=_POWER_ROUNDING).all()
    ):
        return False
    # Voltages that are equal except for rounding cannot be sorted: some pairing of the nodes must bring them together.
    is_same = _are_near(first.voltages[:, None], second.voltages[None, :], rounding=_VOLTAGE_ROUNDING)
    may_be_paired = np.logical_and.reduce(is_same, axis=-1)
    return bool(may_be_paired[linear_sum_assignment(may_be_paired, maximize=True)].all())


def _are_near(a: _Numbers, b: _Numbers, *, rounding: float) -> NDArray[np.bool_]:
    """Whether the numbers are the same, one by one; the last axis is that of the frequencies."""
    sizes = np.maximum(np.abs(a), np.abs(b))
    largest = sizes.max(axis=tuple(range(sizes.ndim - 1)), initial=0.0)
    tolerance = TOLERANCE * sizes + rounding * (largest + _CROSS_ROUNDING * largest.max())
    return np.asarray(np.abs(a - b) <= tolerance)
