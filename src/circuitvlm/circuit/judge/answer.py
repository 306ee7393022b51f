"""Judge an answer that is stated directly or executed: a netlist that the exact solver evaluates."""

from __future__ import annotations

from dataclasses import dataclass

from circuitvlm.circuit import netlist, quantity
from circuitvlm.circuit.graph import Circuit
from circuitvlm.circuit.judge.verdict import Verdict, equal_expressions, matches_circuit, matches_unknown
from circuitvlm.circuit.quantity import Quantity, QuantityComparison
from circuitvlm.circuit.solve.numeric import SingularCircuitError
from circuitvlm.circuit.solve.probe import Probe, ProbeError, measure, probes_of
from circuitvlm.circuit.values import UnsolvableDeviceError

__all__ = ["Executable", "Truth", "answer_of", "execute", "judge_formula", "judge_quantity", "read_executable"]

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
    """A netlist with the probe that is to be evaluated."""

    circuit: Circuit
    probe: Probe


def answer_of(prediction: object) -> str | Executable | None:
    """The answer of a reply, as `read_executable` or a task's reader gives it; of a truth, its own answer."""
    if isinstance(prediction, Truth):
        return prediction.answer
    return prediction if isinstance(prediction, str | Executable) else None


def read_executable(text: str) -> Executable | None:
    """The netlist and the last probe of a text; None where one of them is missing."""
    try:
        circuit = netlist.parse(text)
    except netlist.NetlistError:
        return None
    probes = probes_of(text)
    return Executable(circuit, probes[-1]) if probes else None


def execute(executable: Executable, frequency_hz: float) -> Quantity | None:
    """The probed quantity, by the solver; None where the circuit has no such value."""
    try:
        return Quantity(measure(executable.circuit, executable.probe, frequency_hz), executable.probe.unit)
    except (ProbeError, SingularCircuitError, UnsolvableDeviceError):
        return None


def judge_quantity(answer: str | Executable, truth: Truth, *, tolerance: float = 0.01) -> QuantityComparison:
    """The number and the unit of a direct or executed answer, against the circuit's own value where it is known.

    Raises QuantityError where the truth states no number.
    """
    true_quantity: Quantity | None = None
    if truth.circuit is not None and truth.probe is not None:
        true_quantity = execute(Executable(truth.circuit, truth.probe), truth.frequency_hz)
    true_quantity = true_quantity or quantity.parse(truth.answer)
    predicted_quantity = answer if isinstance(answer, str) else execute(answer, truth.frequency_hz)
    return WRONG if predicted_quantity is None else quantity.compare(predicted_quantity, true_quantity, tolerance)


def judge_formula(answer: str | Executable, truth: Truth) -> Verdict:
    """A direct or executed formula: a transfer function, the solution for an unknown, or an expression.

    Against the circuit where it is known, else against the true answer's text.
    """
    try:
        if isinstance(answer, Executable):
            probe = answer.probe
            if not probe.source:
                return Verdict.DIFFERENT
            return matches_circuit(truth.answer, answer.circuit, probe.source, probe.targets)
        if truth.circuit is None or truth.probe is None:
            return equal_expressions(answer, truth.answer)
        if truth.probe.source:
            return matches_circuit(answer, truth.circuit, truth.probe.source, truth.probe.targets)
        if equal_expressions(answer, truth.answer) is Verdict.EQUAL:
            return Verdict.EQUAL  # a stored answer may refer to sources that the netlist does not state
        return matches_unknown(answer, truth.circuit, truth.probe)
    except (KeyError, SingularCircuitError, UnsolvableDeviceError):
        return Verdict.DIFFERENT
