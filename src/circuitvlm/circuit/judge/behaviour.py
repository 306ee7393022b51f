"""Do two circuits behave the same: is every device of one at work as its namesake in the other?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from circuitvlm.circuit.dialect import to_spice
from circuitvlm.circuit.graph import GROUND, Circuit, Device
from circuitvlm.circuit.judge.equivalence import compare, same_devices
from circuitvlm.circuit.solve.numeric import SOLVED_KINDS, solve

FREQUENCY = 1000.0
"""Where phasors are compared, in hertz."""

TOLERANCE = 1e-6
"""Relative difference up to which two powers or voltages are the same."""

LARGEST = 500
"""Most devices and nodes together of a circuit that is solved: well under a second."""

_POWER_FLOOR, _VOLTAGE_FLOOR = 1e-11, 1e-9
"""Of the largest power or voltage at a frequency: what is smaller may be the solver's rounding."""

_ELSEWHERE = 1e-4
"""As much of the largest at the other frequency counts too: behind a capacitor all power at 0 Hz is rounding."""

_DECADE = {"R": 1e3, "C": 1e-8, "L": 0.1, "V": 1.0, "I": 1e-3, "E": 2.0, "G": 1e-3, "F": 2.0, "H": 1e3}
"""Least value of a device without a number, in base units: impedances are then alike at `FREQUENCY`."""

_Numbers = NDArray[np.complex128]


def same_behaviour(a: Circuit, b: Circuit) -> bool:
    """Whether the circuits have the same devices by name with the same values, and each of them does the same.

    That is `equivalence.same_devices`, and, in exact solutions at 1 kHz and (where both have one) at 0 Hz: every device
    takes up the same complex power, and the nodes can be paired so that both of a pair have the same voltages against
    ground. Same is within 1e-6 (relative), or within 1e-11 of the largest power, 1e-9 of the largest voltage. Nodes may
    have other names, and a device may hang on another node of the same voltage; where nothing flows, wiring does not
    show, nor does the current of a source of 0 V, which takes up nothing.

    A device without a number, `Ad` of an op-amp included, gets one by its symbol (its name, where it has none): always
    the same, and the same for all devices of a kind that state this symbol; a formula is taken as one symbol. lcapy's
    netlists are read by its conventions (`dialect.to_spice`). Circuits that `equivalence.compare` finds the same by
    names are not solved. Where solving cannot tell, it must find equal `values`: with devices that are not linear, no
    unique answer at 1 kHz, nothing that drives the circuits, two devices of one name, or over 500 devices and nodes.
    Never raises; bounded in time.
    """
    if not same_devices(a, b):
        return False
    wiring = compare(a, b)
    if wiring.names:
        return True
    solved = _solved_alike(to_spice(a), to_spice(b))
    return wiring.values if solved is None else solved


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    """What the devices take up, in the order of their names, and the nodes' voltages; a column for each frequency."""

    powers: _Numbers
    voltages: _Numbers

    @property
    def is_dead(self) -> bool:
        return not (self.powers.any() or self.voltages.any())

    def beside(self, other: _State) -> _State:
        return _State(np.hstack([self.powers, other.powers]), np.hstack([self.voltages, other.voltages]))


def _solved_alike(a: Circuit, b: Circuit) -> bool | None:
    """None where the solutions cannot tell."""
    numbers = {device.name.upper(): _numbered(device) for device in a.devices}
    if len(numbers) < len(a.devices) or any(len(c.devices) + len(c.nodes) > LARGEST for c in (a, b)):
        return None
    # Both with the numbers of one, so that values that differ within their tolerance do not add up.
    pair = [_with_values(circuit, numbers) for circuit in (a, b)]
    one, other = (_state(circuit, FREQUENCY) for circuit in pair)
    if one is None or other is None:
        return None
    one_at_rest, other_at_rest = (_state(circuit, 0.0) for circuit in pair)
    if one_at_rest is not None and other_at_rest is not None:
        one, other = one.beside(one_at_rest), other.beside(other_at_rest)
    return None if one.is_dead and other.is_dead else _alike(one, other)


def _with_values(circuit: Circuit, numbers: Mapping[str, Device]) -> Circuit:
    devices = []
    for device in map(_numbered, circuit.devices):
        known = numbers[device.name.upper()]
        devices.append(replace(device, value=known.value, ac=known.ac))
    return replace(circuit, devices=tuple(devices))


def _numbered(device: Device) -> Device:
    """With a number in place of a symbol."""
    if device.value is not None or device.kind not in SOLVED_KINDS:
        return device
    reference, said = device.text.partition(" ")[::2] if device.kind in "FH" else ("", device.text)
    symbol = said.strip("{}'\"").casefold()
    named = symbol if symbol not in ("", "<empty>") else device.name.casefold()
    return replace(device, value=_value(named, kind=device.kind), text=reference)


def _value(symbol: str, *, kind: str) -> float:
    """Between the kind's least value and ten times that, log-uniform, decided by the symbol alone."""
    digest = blake2b(symbol.encode("utf-8", "replace"), digest_size=8).digest()
    return _DECADE[kind] * math.pow(10.0, int.from_bytes(digest) / 2**64)


def _state(circuit: Circuit, frequency_hz: float) -> _State | None:
    """None where there is no unique answer, or none that doubles can hold."""
    names = sorted((device.name for device in circuit.devices), key=str.upper)
    nodes = [node for node in circuit.nodes if node != GROUND]
    try:
        solution = solve(circuit, frequency_hz)
        powers, voltages = (
            np.array([[read(name)] for name in read_from], dtype=np.complex128).reshape(-1, 1)
            for read, read_from in ((solution.power, names), (solution.voltage, nodes))
        )
    except (ValueError, ArithmeticError):
        return None
    return _State(powers, voltages) if np.isfinite(powers).all() and np.isfinite(voltages).all() else None


def _alike(one: _State, other: _State) -> bool:
    if len(one.voltages) != len(other.voltages):
        return False
    if not _near(one.powers, other.powers, floor=_POWER_FLOOR).all():
        return False
    # Equal but for rounding is no order to sort by: some pairing of the nodes must bring equal voltages together.
    near = _near(one.voltages[:, None], other.voltages[None, :], floor=_VOLTAGE_FLOOR)
    together = np.logical_and.reduce(near, axis=-1)
    return bool(together[linear_sum_assignment(together, maximize=True)].all())


def _near(a: _Numbers, b: _Numbers, *, floor: float) -> NDArray[np.bool_]:
    """Whether the numbers are the same, one by one; the last axis is that of the frequencies."""
    sizes = np.maximum(np.abs(a), np.abs(b))
    largest = sizes.max(axis=tuple(range(sizes.ndim - 1)), initial=0.0)
    near: NDArray[np.bool_] = np.abs(a - b) <= TOLERANCE * sizes + floor * (largest + _ELSEWHERE * largest.max())
    return near
