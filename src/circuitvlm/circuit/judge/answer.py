"""Is this answer right? Said directly, or executed: a netlist that the exact solver works out."""

from __future__ import annotations

from dataclasses import dataclass

from circuitvlm.circuit import netlist, quantity
from circuitvlm.circuit.drive import UnsolvableDeviceError
from circuitvlm.circuit.graph import Circuit
from circuitvlm.circuit.judge.verdict import Verdict, equal_expressions, matches_circuit, matches_unknown
from circuitvlm.circuit.quantity import Quantity, QuantityComparison
from circuitvlm.circuit.solve import probe as probes
from circuitvlm.circuit.solve.numeric import SingularCircuitError
from circuitvlm.circuit.solve.probe import Probe, ProbeError

__all__ = ["Executable", "Truth", "judge_formula", "judge_quantity", "read_executable", "said_by", "value_of"]

WRONG = QuantityComparison(number=False, unit=False, missing_unit=False)


@dataclass(frozen=True, slots=True)
class Truth:
    """What is known of a question: the answer as text; its circuit and what is probed there, where they are stated."""

    answer: str
    circuit: Circuit | None = None
    probe: Probe | None = None
    frequency_hz: float = 0.0


@dataclass(frozen=True, slots=True)
class Executable:
    """A netlist that says what is to be worked out of it."""

    circuit: Circuit
    probe: Probe


def said_by(predicted: object) -> str | Executable | None:
    """What a reply says, as `read_executable` or a task's reader gives it; a truth says its own answer."""
    if isinstance(predicted, Truth):
        return predicted.answer
    return predicted if isinstance(predicted, str | Executable) else None


def read_executable(text: str) -> Executable | None:
    """The netlist and the last probe of a text; None where one of them is missing."""
    try:
        circuit = netlist.parse(text)
    except netlist.NetlistError:
        return None
    found = probes.probes_of(text)
    return Executable(circuit, found[-1]) if found else None


def value_of(said: Executable, frequency_hz: float) -> Quantity | None:
    """What the solver makes of it; None where the circuit has no such value."""
    try:
        value = probes.measure(said.circuit, said.probe, frequency_hz)
    except (ProbeError, SingularCircuitError, UnsolvableDeviceError):
        return None
    return Quantity(value, said.probe.unit)


def judge_quantity(said: str | Executable, truth: Truth, *, tolerance: float = 0.01) -> QuantityComparison:
    """The number and the unit of a direct or executed answer, against the circuit's own value where it is known.

    Raises QuantityError where the truth states no number.
    """
    true: Quantity | None = None
    if truth.circuit is not None and truth.probe is not None:
        true = value_of(Executable(truth.circuit, truth.probe), truth.frequency_hz)
    wanted: Quantity = true or quantity.parse(truth.answer)
    if isinstance(said, str):
        return quantity.compare(said, wanted, tolerance)
    found = value_of(said, truth.frequency_hz)
    return WRONG if found is None else quantity.compare(found, wanted, tolerance)


def judge_formula(said: str | Executable, truth: Truth) -> Verdict:
    """A direct or executed formula: a transfer function, the solution for an unknown, or an expression.

    Against the circuit where it is known, else against the true answer's text.
    """
    try:
        if isinstance(said, Executable):
            source = said.probe.source
            return matches_circuit(truth.answer, said.circuit, source, said.probe.of) if source else Verdict.DIFFERENT
        if truth.circuit is None or truth.probe is None:
            return equal_expressions(said, truth.answer)
        if truth.probe.source:
            return matches_circuit(said, truth.circuit, truth.probe.source, truth.probe.of)
        if equal_expressions(said, truth.answer) is Verdict.EQUAL:
            return Verdict.EQUAL  # a stored answer may mean sources that the netlist does not tell
        return matches_unknown(said, truth.circuit, truth.probe)
    except (KeyError, SingularCircuitError, UnsolvableDeviceError):
        return Verdict.DIFFERENT
