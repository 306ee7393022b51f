"""Solve a circuit for its voltages and currents as numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from circuitvlm.circuit.graph import GROUND, Circuit, Device
from circuitvlm.circuit.solve.singular import SingularCircuitError, structural_fault
from circuitvlm.circuit.values import UnsolvableDeviceError, check_solvable, is_ideal_opamp, numeric_value, phasors

__all__ = ["SingularCircuitError", "Solution", "UnsolvableDeviceError", "solve", "sweep"]

_MIN_RECIPROCAL_CONDITION = 1e-12
"""Reciprocal condition number of the scaled matrix, below which a solution is not trusted."""

_MAX_ERROR = 1e-7
"""Relative error up to which the careful equations are trusted, whatever their condition number."""

_DOUBTFUL_ERROR = 1e-9
"""Relative error of a branch current, or of all voltages, above which the careful equations are solved too."""

_CANCELLATION = 1e-9
"""A relative voltage difference below this has too few digits to be divided by a resistance."""

_Array = NDArray[Any]  # float64 at 0 Hz, complex128 otherwise


class Solution:
    """Node voltages and device currents at one frequency: floats at 0 Hz, otherwise complex amplitudes (phasors)."""

    def __init__(self, circuit: Circuit, *, system: _System, unknowns: _Array) -> None:
        self._circuit, self._system = circuit, system
        self._voltages, self._branch_currents = system.split(unknowns)

    def voltage(self, a: str, b: str = GROUND) -> float | complex:
        """The voltage of node `a` against node `b`, in volt. Raises KeyError with the names of the nodes."""
        return self._convert(self._node_voltage(a) - self._node_voltage(b))

    def current(self, name: str) -> float | complex:
        """The current in ampere through the device from its first pin to its second (passive sign convention).

        Thus a source that delivers power has a negative product of current and voltage. Raises KeyError with the names
        of the devices.
        """
        return self._convert(self._current(self._circuit.device(name)))

    def power(self, name: str) -> float | complex:
        """The power in watt that the device consumes; it is negative for a source that delivers power.

        At 0 Hz it is v*i, otherwise the complex power v*conj(i)/2 of the amplitudes, whose real part is the mean.
        """
        device = self._circuit.device(name)
        drop = self._voltages[device.nodes[0]] - self._voltages[device.nodes[1]]
        return self._convert(drop * complex(self._current(device)).conjugate() / (2 if self._system.omega else 1))

    def _convert(self, value: complex) -> float | complex:
        return complex(value) if self._system.omega else float(value.real)

    def _node_voltage(self, name: str) -> complex:
        if name in self._voltages:
            return self._voltages[name]
        for node, voltage in self._voltages.items():
            if node.lower() == name.lower() or (node == GROUND and name.lower() in ("gnd", "ground")):
                return voltage
        raise KeyError(f"no node {name!r}; the circuit has {', '.join(self._voltages)}")

    def _current(self, device: Device) -> complex:
        if device.name in self._branch_currents:
            return self._branch_currents[device.name]
        if device.kind == "I":
            return self._system.sources[device.name]
        value, omega = self._system.values[device.name], self._system.omega
        a, b, *inputs = (self._voltages[node] for node in device.nodes)
        if device.kind == "G":
            return value * (inputs[0] - inputs[1])
        if device.kind == "C":
            return 1j * omega * value * (a - b)
        if device.nodes[0] == device.nodes[1]:
            return 0j
        if abs(a - b) <= _CANCELLATION * max(abs(a), abs(b)):
            return self._careful_currents.get(device.name, 0j)
        return (a - b) / (value if device.kind == "R" else 1j * omega * value)

    @cached_property
    def _careful_currents(self) -> Mapping[str, complex]:
        """Branch currents of every R and L, for differences of voltages that have lost their digits."""
        system = self._system.careful_copy(self._circuit)
        return {} if (unknowns := system.solve()) is None else system.split(unknowns)[1]


def solve(circuit: Circuit, frequency_hz: float = 0.0) -> Solution:
    """The exact operating point at 0 Hz (C open, L short), or the phasors at `frequency_hz`.

    The method is modified nodal analysis (Ho, Ruehli, Brennan, IEEE Trans. Circuits and Systems 22, 1975) for R C L V I
    and the linear controlled sources E G F H. An E with the gain `inf` or `Ad` is an ideal op-amp. The sources have the
    phasors of `values.phasors`, and their plain values at 0 Hz.
    Raises UnsolvableDeviceError for other kinds and for missing values, SingularCircuitError where no unique solution
    exists, and ValueError for a frequency that is negative or not finite.
    """
    if not (math.isfinite(frequency_hz) and frequency_hz >= 0):
        raise ValueError(f"frequency_hz: expected 0 or a positive number, got {frequency_hz!r}")
    omega = 2 * math.pi * frequency_hz
    values = {device.name: _value(device, omega=omega) for device in circuit.devices}
    system = _System(circuit, values=values, sources=phasors(circuit) if omega else values, omega=omega)
    unknowns = system.solve()
    if unknowns is None and (fault := structural_fault(circuit, values=values, frequency_hz=frequency_hz)):
        raise SingularCircuitError(fault)
    if unknowns is None or system.is_doubtful:
        careful_system = system.careful_copy(circuit)
        if (careful_unknowns := careful_system.solve()) is not None:
            system, unknowns = careful_system, careful_unknowns
    if unknowns is None:
        raise SingularCircuitError(
            f"the equations are singular or ill-conditioned at {frequency_hz:g} Hz although every node has a path to"
            " ground: a resonance without loss, resistances that cancel, or a controlled source that controls itself"
        )
    return Solution(circuit, system=system, unknowns=unknowns)


def sweep(circuit: Circuit, frequencies_hz: Sequence[float]) -> tuple[Solution, ...]:
    """The solution at each frequency, as `solve` returns it."""
    return tuple(solve(circuit, frequency) for frequency in frequencies_hz)


def _value(device: Device, *, omega: float) -> float:
    check_solvable(device)
    if is_ideal_opamp(device):
        return math.inf
    if omega and device.kind in "VI":
        return 0.0 if device.value is None else device.value
    return numeric_value(device)


class _System:
    """The equations A x = b: one row per node but ground (its currents sum to 0), and one per branch current.

    With `is_careful` each R and L has a branch current. A tiny resistance then appears as it is, whereas its large
    conductance would absorb the others of its node. The matrix is larger.
    """

    def __init__(
        self,
        circuit: Circuit,
        *,
        values: Mapping[str, float],
        sources: Mapping[str, complex],
        omega: float,
        is_careful: bool = False,
    ) -> None:
        self.values, self.sources, self.omega, self._is_careful = values, sources, omega, is_careful
        self.is_doubtful = False
        self._nodes = [node for node in circuit.nodes if node != GROUND]
        self._branches = [device.name for device in circuit.devices if self._has_branch(device)]
        self._rows = {GROUND: -1} | {node: i for i, node in enumerate(self._nodes)}
        self._branch_rows = {name: i for i, name in enumerate(self._branches, start=len(self._nodes))}
        # The last row and column, which index -1 reaches, are those of ground. They are removed at the end.
        size = len(self._nodes) + len(self._branches) + 1
        self._matrix: _Array = np.zeros((size, size), dtype=np.complex128 if omega else np.float64)
        self._right: _Array = np.zeros(size, dtype=self._matrix.dtype)
        for device in circuit.devices:
            stamp = self._stamp_branch if device.name in self._branch_rows else self._stamp
            stamp(device, self.values[device.name], *(self._rows[node] for node in device.nodes))

    def careful_copy(self, circuit: Circuit) -> _System:
        """The careful equations of the same circuit."""
        return _System(circuit, values=self.values, sources=self.sources, omega=self.omega, is_careful=True)

    def _has_branch(self, device: Device) -> bool:
        if device.kind in "VEFH":
            return True
        if device.kind not in "RL" or device.nodes[0] == device.nodes[1]:
            return False
        return self._is_careful or self.values[device.name] == 0 or (device.kind == "L" and not self.omega)

    def _stamp(self, device: Device, value: float, a: int, b: int, *inputs: int) -> None:
        """Add a device without a branch current."""
        if device.kind == "I":
            self._right[a] -= self.sources[device.name]
            self._right[b] += self.sources[device.name]
        elif device.kind == "G":
            self._add([a, b], inputs, value)
        elif device.kind == "C" and self.omega:
            self._add([a, b], [a, b], 1j * self.omega * value)
        elif device.kind in "RL" and a != b:
            self._add([a, b], [a, b], 1 / value if device.kind == "R" else 1 / (1j * self.omega * value))

    def _add(self, rows: Sequence[int], columns: Sequence[int], value: complex) -> None:
        """Add the value in each row and column; the second of two rows, or of two columns, has the opposite sign."""
        for (i, row), (j, column) in product(enumerate(rows), enumerate(columns)):
            self._matrix[row, column] += value if i == j else -value

    def _stamp_branch(self, device: Device, value: float, a: int, b: int, *inputs: int) -> None:
        """Add a device with a branch current."""
        matrix, row = self._matrix, self._branch_rows[device.name]
        self._add([a, b], [row], 1)
        # The current of F is that of its control, times a gain; an ideal op-amp has one voltage at its inputs.
        self._add([row], [row] if device.kind == "F" else inputs if math.isinf(value) else [a, b], 1)
        if device.kind == "V":
            self._right[row] = self.sources[device.name]
        elif device.kind == "E" and not math.isinf(value):
            self._add([row], inputs, -value)
        elif device.kind in "FH":
            matrix[row, self._control_row(device)] -= value
        elif device.kind == "R" or (device.kind == "L" and self.omega):
            matrix[row, row] -= value if device.kind == "R" else 1j * self.omega * value

    def _control_row(self, device: Device) -> int:
        name = device.text.upper()
        if name not in self._branch_rows:
            names = ", ".join(name for name in self._branches if name[0] == "V") or "none"
            raise UnsolvableDeviceError(
                f"{device.name}: expected a voltage source as control ({names}), got {device.text[:40]!r}"
            )
        return self._branch_rows[name]

    def solve(self) -> _Array | None:
        """The unknowns; None where the matrix is singular or nearly so. Sets `is_doubtful`."""
        matrix, right = self._matrix[:-1, :-1], self._right[:-1]
        if not len(matrix):
            return right
        size = np.abs(matrix)
        if not (size.any(axis=1).all() and size.any(axis=0).all()):
            return None
        # The matrix is scaled first: pico next to giga is a choice of units, not an ill-posed circuit.
        rows = size.max(axis=1)
        columns = (size / rows[:, None]).max(axis=0)
        scaled_matrix = matrix / rows[:, None] / columns
        try:
            inverse = np.linalg.inv(scaled_matrix)
        except np.linalg.LinAlgError:
            return None
        condition = np.abs(scaled_matrix).sum(axis=0).max() * np.abs(inverse).sum(axis=0).max()
        unknowns: _Array = np.linalg.solve(scaled_matrix, right / rows)
        error = _rounding_error(scaled_matrix, inverse, unknowns, right / rows)
        if not (condition * _MIN_RECIPROCAL_CONDITION < 1 or (self._is_careful and self._is_trusted(error, unknowns))):
            return None
        self.is_doubtful = self._has_large_error(error, unknowns)
        unknowns /= columns
        return unknowns

    def _has_large_error(self, error: _Array, unknowns: _Array) -> bool:
        """Whether a branch current, or the voltages, may have lost too many digits."""
        count, size = len(self._nodes), np.abs(unknowns)
        voltages = count > 0 and float(error[:count].max()) > _DOUBTFUL_ERROR * float(size[:count].max())
        return voltages or bool((error[count:] > _DOUBTFUL_ERROR * size[count:]).any())

    def _is_trusted(self, error: _Array, unknowns: _Array) -> bool:
        """Whether the error is small against the voltages and against the currents."""
        count = len(self._nodes)
        parts = [(error[:count], unknowns[:count]), (error[count:], unknowns[count:])]
        return all(float(e.max()) < _MAX_ERROR * float(np.abs(x).max()) for e, x in parts if len(x))

    def split(self, unknowns: _Array) -> tuple[dict[str, complex], dict[str, complex]]:
        """The voltages by node, and the currents by device for those with a branch current."""
        numbers = unknowns.tolist()
        voltages: dict[str, complex] = dict(zip(self._nodes, numbers, strict=False))
        return voltages | {GROUND: 0.0}, dict(zip(self._branches, numbers[len(self._nodes) :], strict=True))


def _rounding_error(matrix: _Array, inverse: _Array, unknowns: _Array, right: _Array) -> _Array:
    """The error that rounding may leave in each unknown.

    This is the bound of Skeel (J. ACM 26, 1979), which no choice of units changes. By a condition number, currents 1e12
    times smaller than the voltages would be ill-conditioned, although all their digits are right.
    """
    error: _Array = np.abs(inverse) @ (np.abs(matrix) @ np.abs(unknowns) + np.abs(right)) * np.finfo(np.float64).eps
    return error
