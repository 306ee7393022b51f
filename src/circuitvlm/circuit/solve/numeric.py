"""Which voltages and currents does a circuit have, as numbers?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from circuitvlm.circuit.drive import UnsolvableDeviceError, is_ideal, phasors, stated_value
from circuitvlm.circuit.graph import GROUND, Circuit, Device
from circuitvlm.circuit.solve.singular import SingularCircuitError, structural_fault

__all__ = ["SingularCircuitError", "Solution", "UnsolvableDeviceError", "solve", "sweep"]

SOLVED_KINDS = "RCLVIEGFH"

_WORST = 1e-12
"""Reciprocal condition number, of the scaled matrix, under which an answer is not trusted."""

_LARGEST_ERROR = 1e-7
"""Relative error up to which the careful equations are trusted, in spite of their condition number."""

_DOUBTFUL = 1e-9
"""Relative error of a branch current, or of all voltages, from which the careful equations are asked as well."""

_CANCELS = 1e-9
"""A voltage difference this much smaller than the voltages has too few digits left to divide by a resistance."""

_Matrix = NDArray[Any]  # float64 at 0 Hz, complex128 otherwise


class Solution:
    """Node voltages and device currents at one frequency: float at 0 Hz, complex amplitudes (phasors) otherwise."""

    __slots__ = ("_branch", "_careful", "_circuit", "_devices", "_system", "_voltage")

    def __init__(self, circuit: Circuit, *, system: _System, answer: _Matrix) -> None:
        self._circuit = circuit
        self._system = system
        self._voltage, self._branch = system.named(answer)
        self._devices: dict[str, Device] | None = None
        self._careful: Mapping[str, complex] | None = None

    def voltage(self, a: str, b: str = GROUND) -> float | complex:
        """The voltage of node `a` against node `b`, in volt. Raises KeyError with the nodes there are."""
        return self._plain(self._node(a) - self._node(b))

    def current(self, name: str) -> float | complex:
        """The current in ampere through the device from its first pin to its second (passive sign convention).

        So a source that delivers power has a negative current times voltage. Raises KeyError with the names there are.
        """
        return self._plain(self._current(self._device(name)))

    def power(self, name: str) -> float | complex:
        """The power in watt that the device takes up: v*i at 0 Hz; otherwise the complex power v*conj(i)/2 of the
        amplitudes, its real part the mean. Negative for a source that delivers.
        """
        device = self._device(name)
        drop = self._voltage[device.nodes[0]] - self._voltage[device.nodes[1]]
        current = complex(self._current(device))
        return self._plain(drop * current.conjugate() / (2 if self._system.omega else 1))

    def _plain(self, value: complex) -> float | complex:
        return complex(value) if self._system.omega else float(value.real)

    def _node(self, node: str) -> complex:
        if node in self._voltage:
            return self._voltage[node]
        for known in self._voltage:
            if known.lower() == node.lower() or (known == GROUND and node.lower() in ("gnd", "ground")):
                return self._voltage[known]
        raise KeyError(f"no node {node!r}; the circuit has {', '.join(self._voltage)}")

    def _device(self, name: str) -> Device:
        if self._devices is None:
            self._devices = {device.name.upper(): device for device in self._circuit.devices}
        return self._devices.get(name.upper()) or self._circuit.device(name)

    def _current(self, device: Device) -> complex:
        if device.name in self._branch:
            return self._branch[device.name]
        if device.kind == "I":
            return self._system.drive[device.name]
        value = self._system.values[device.name]
        first, second = (self._voltage[node] for node in device.nodes[:2])
        if device.kind == "G":
            return value * (self._voltage[device.nodes[2]] - self._voltage[device.nodes[3]])
        if device.kind == "C":
            return 1j * self._system.omega * value * (first - second)
        if device.nodes[0] == device.nodes[1]:
            return 0j
        if abs(first - second) <= _CANCELS * max(abs(first), abs(second)):
            return self._carefully().get(device.name, 0j)
        return (first - second) / (value if device.kind == "R" else 1j * self._system.omega * value)

    def _carefully(self) -> Mapping[str, complex]:
        """Branch currents of every R and L, for where a difference of voltages has lost its digits."""
        if self._careful is None:
            system = _System.like(self._system, circuit=self._circuit)
            answer = system.solved()
            self._careful = {} if answer is None else system.named(answer)[1]
        return self._careful


def solve(circuit: Circuit, frequency_hz: float = 0.0) -> Solution:
    """The exact operating point at 0 Hz (C open, L short), or the phasors at `frequency_hz`.

    Modified nodal analysis (Ho, Ruehli, Brennan, IEEE Trans. Circuits and Systems 22, 1975). R C L V I and the linear
    controlled sources E G F H; an E with the gain `inf` or `Ad` is an ideal op-amp. Sources drive the circuit as
    `_drive.phasors` says; at 0 Hz with their plain values.
    Raises UnsolvableDeviceError for other kinds and missing values, SingularCircuitError where no unique answer exists,
    ValueError for a frequency that is negative or not finite.
    """
    if not (math.isfinite(frequency_hz) and frequency_hz >= 0):
        raise ValueError(f"the frequency is {frequency_hz!r} Hz; wanted 0 or a positive number")
    omega = 2 * math.pi * frequency_hz
    values = {device.name: _value(device, omega=omega) for device in circuit.devices}
    drive = phasors(circuit) if omega else {d.name: complex(values[d.name]) for d in circuit.devices if d.kind in "VI"}
    system = _System(circuit, values=values, drive=drive, omega=omega, careful=False)
    answer = system.solved()
    if answer is None:
        if cause := structural_fault(circuit, values=values, frequency_hz=frequency_hz):
            raise SingularCircuitError(cause)
        system = _System.like(system, circuit=circuit)
        answer = system.solved()
    elif system.doubtful:
        careful = _System.like(system, circuit=circuit)
        better = careful.solved()
        if better is not None:
            system, answer = careful, better
    if answer is None:
        raise SingularCircuitError(
            f"the equations are singular or ill-conditioned at {frequency_hz:g} Hz although every node reaches ground:"
            " a resonance without loss, resistances that cancel, or a controlled source that feeds itself"
        )
    return Solution(circuit, system=system, answer=answer)


def sweep(circuit: Circuit, frequencies_hz: Sequence[float]) -> tuple[Solution, ...]:
    """The solution at each frequency, as `solve` gives it."""
    return tuple(solve(circuit, frequency) for frequency in frequencies_hz)


def _value(device: Device, *, omega: float) -> float:
    if device.kind not in SOLVED_KINDS or len(device.nodes) != (4 if device.kind in "EG" else 2):
        raise UnsolvableDeviceError(
            f"{device.name}: devices of kind {device.kind} with {len(device.nodes)} nodes are not solved;"
            f" wanted one of {' '.join(SOLVED_KINDS)}"
        )
    if is_ideal(device):
        return math.inf
    if omega and device.kind in "VI":
        return 0.0 if device.value is None else device.value
    return stated_value(device)


class _System:
    """The equations A x = b: one row per node but ground (its currents sum to 0), one per branch current."""

    def __init__(
        self,
        circuit: Circuit,
        *,
        values: Mapping[str, float],
        drive: Mapping[str, complex],
        omega: float,
        careful: bool,
    ) -> None:
        """`careful` gives each R and L a branch current. A tiny resistance then stands beside its current as it is,
        where its huge conductance would swallow the others of its node; it costs a larger matrix.
        """
        self.values, self.drive, self.omega, self._careful = values, drive, omega, careful
        self.doubtful = False
        self.nodes = [node for node in circuit.nodes if node != GROUND]
        self._row = {node: i for i, node in enumerate(self.nodes)}
        self._row[GROUND] = -1
        plain = [d for d in circuit.devices if not self._has_branch(d, careful=careful)]
        self.branches = [d for d in circuit.devices if self._has_branch(d, careful=careful)]
        self._branch_row = {d.name: len(self.nodes) + i for i, d in enumerate(self.branches)}
        size = len(self.nodes) + len(self.branches) + 1
        # The last row and column, that index -1 reaches, are ground's: stamped like the others, then cut off.
        self.matrix: _Matrix = np.zeros((size, size), dtype=np.complex128 if omega else np.float64)
        self.right: _Matrix = np.zeros(size, dtype=self.matrix.dtype)
        for device in plain:
            self._stamp(device)
        for device in self.branches:
            self._stamp_branch(device)

    @classmethod
    def like(cls, other: _System, *, circuit: Circuit) -> _System:
        """The careful equations of the same problem."""
        return cls(circuit, values=other.values, drive=other.drive, omega=other.omega, careful=True)

    def _has_branch(self, device: Device, *, careful: bool) -> bool:
        if device.kind in "VEFH":
            return True
        if device.kind not in "RL" or device.nodes[0] == device.nodes[1]:
            return False
        return careful or self.values[device.name] == 0 or (device.kind == "L" and not self.omega)

    def _stamp(self, device: Device) -> None:
        a, b = self._row[device.nodes[0]], self._row[device.nodes[1]]
        value = self.values[device.name]
        if device.kind == "I":
            flow = self.drive[device.name] if self.omega else value
            self.right[a] -= flow
            self.right[b] += flow
            return
        if device.kind == "G":
            self._conduct(a, b, self._row[device.nodes[2]], self._row[device.nodes[3]], value)
        elif device.kind == "C":
            if self.omega:
                self._conduct(a, b, a, b, 1j * self.omega * value)
        elif a != b:
            self._conduct(a, b, a, b, 1 / value if device.kind == "R" else 1 / (1j * self.omega * value))

    def _conduct(self, a: int, b: int, c: int, d: int, conductance: complex) -> None:
        matrix = self.matrix
        matrix[a, c] += conductance
        matrix[a, d] -= conductance
        matrix[b, c] -= conductance
        matrix[b, d] += conductance

    def _stamp_branch(self, device: Device) -> None:
        a, b = self._row[device.nodes[0]], self._row[device.nodes[1]]
        row = self._branch_row[device.name]
        value = self.values[device.name]
        matrix = self.matrix
        matrix[a, row] += 1
        matrix[b, row] -= 1
        if device.kind == "F":
            matrix[row, row] += 1
            matrix[row, self._control(device)] -= value
            return
        if math.isinf(value):  # an ideal op-amp: whatever its output, its inputs are at one voltage
            matrix[row, self._row[device.nodes[2]]] += 1
            matrix[row, self._row[device.nodes[3]]] -= 1
            return
        matrix[row, a] += 1
        matrix[row, b] -= 1
        if device.kind == "V":
            self.right[row] = self.drive[device.name] if self.omega else value
        elif device.kind == "E":
            matrix[row, self._row[device.nodes[2]]] -= value
            matrix[row, self._row[device.nodes[3]]] += value
        elif device.kind == "H":
            matrix[row, self._control(device)] -= value
        else:
            matrix[row, row] -= value if device.kind == "R" else 1j * self.omega * value if self.omega else 0

    def _control(self, device: Device) -> int:
        name = device.text.upper()
        if name not in self._branch_row:
            known = ", ".join(d.name for d in self.branches if d.kind == "V") or "none"
            raise UnsolvableDeviceError(
                f"{device.name} is controlled by {device.text[:40]!r}; voltage sources: {known}"
            )
        return self._branch_row[name]

    def solved(self) -> _Matrix | None:
        """The unknowns, None where the matrix is singular or nearly so."""
        matrix, right = self.matrix[:-1, :-1], self.right[:-1]
        if not len(matrix):
            return right
        size = np.abs(matrix)
        if not (size.any(axis=1).all() and size.any(axis=0).all()):
            return None
        # Scaled first: pico next to giga is a choice of units, not an ill-posed circuit.
        rows = size.max(axis=1)
        columns = (size / rows[:, None]).max(axis=0)
        scaled = matrix / rows[:, None] / columns
        try:
            inverse = np.linalg.inv(scaled)
        except np.linalg.LinAlgError:
            return None
        condition = np.abs(scaled).sum(axis=0).max() * np.abs(inverse).sum(axis=0).max()
        answer: _Matrix = np.linalg.solve(scaled, right / rows)
        error = self._error(scaled, inverse, answer, right / rows)
        if not (condition * _WORST < 1 or (self._careful and self._trusted(error, answer))):
            return None
        self.doubtful = self._doubts(error, answer)
        answer /= columns
        return answer

    @staticmethod
    def _error(matrix: _Matrix, inverse: _Matrix, answer: _Matrix, right: _Matrix) -> _Matrix:
        """The error that rounding may leave in each unknown.

        The bound of Skeel (J. ACM 26, 1979), which no choice of units changes: a condition number calls currents
        1e12 times smaller than the voltages ill-conditioned, although every digit of them is right.
        """
        error: _Matrix = np.abs(inverse) @ (np.abs(matrix) @ np.abs(answer) + np.abs(right)) * np.finfo(np.float64).eps
        return error

    def _doubts(self, error: _Matrix, answer: _Matrix) -> bool:
        """Whether one branch current, or the voltages, may have lost too many digits to stay as they are."""
        cut, size = len(self.nodes), np.abs(answer)
        voltages = cut > 0 and float(error[:cut].max()) > _DOUBTFUL * float(size[:cut].max())
        return voltages or bool((error[cut:] > _DOUBTFUL * size[cut:]).any())

    def _trusted(self, error: _Matrix, answer: _Matrix) -> bool:
        """Whether that error is small beside the voltages, and beside the currents."""
        cut = len(self.nodes)
        parts = [(error[:cut], answer[:cut]), (error[cut:], answer[cut:])]
        return all(float(e.max()) < _LARGEST_ERROR * float(np.abs(x).max()) for e, x in parts if len(x))

    def named(self, answer: _Matrix) -> tuple[dict[str, complex], dict[str, complex]]:
        """Voltages by node, and currents by device for those with a branch."""
        numbers = answer.tolist()
        voltage: dict[str, complex] = dict(zip(self.nodes, numbers, strict=False))
        voltage[GROUND] = 0.0
        branch = dict(zip((d.name for d in self.branches), numbers[len(self.nodes) :], strict=True))
        return voltage, branch
