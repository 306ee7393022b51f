"""Generate questions about a circuit with exact answers.

The drawing marks the polarity of every voltage and current in a question, so the sign is part of the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np

from circuitvlm.circuit.graph import LINEAR_KINDS, Circuit, Device
from circuitvlm.circuit.placement import Mark
from circuitvlm.circuit.quantity import format_quantity
from circuitvlm.circuit.solve.equations import symbolic_values
from circuitvlm.circuit.solve.numeric import SingularCircuitError
from circuitvlm.circuit.solve.probe import Probe, ProbeError, measure
from circuitvlm.circuit.solve.symbolic import TooLargeError, transfer_function

MAX_FORMULA_CHARS = 200
"""Characters of a transfer function in an answer."""

FREQUENCIES_HZ = (50.0, 60.0, 100.0, 400.0, 1e3, 5e3, 10e3)
LETTERS = "ABCDE"
NONE_OF_THEM = "None of the above"

_MAX_TERMS = 40
"""Terms of a transfer function. One with more terms is never that short, and it takes long to factor."""

_TRIES_PER_QUESTION = 12
_ZERO = 1e-9
"""Magnitude below which a voltage, current or power counts as zero, which makes no question."""

_KIND_WORDS = {"R": "resistors", "C": "capacitors", "L": "inductors", "V": "voltage sources", "I": "current sources"}
_UNITS = {"R": "Ohm", "C": "F", "L": "H", "V": "V", "I": "A"}


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its answer as text.

    `kind` is measurement, transfer_function, impedance, perception or choice. `probe` is the measured quantity, by the
    names of the circuit, and `mark` shows it in the drawing. `options` are the five texts of a choice; its answer is a
    letter.
    """

    kind: str
    text: str
    answer: str
    probe: Probe | None = None
    mark: Mark | None = None
    frequency_hz: float = 0.0
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Draw:
    """What a question is drawn from; `number` is the number of questions that the circuit has already."""

    circuit: Circuit
    rng: np.random.Generator
    shows_names: bool
    number: int

    @property
    def is_symbolic(self) -> bool:
        """Whether a value of the circuit has a symbol."""
        return any(value.symbols() for value in symbolic_values(self.circuit).values())

    @property
    def stores_energy(self) -> bool:
        """Whether the circuit has a capacitor or an inductor."""
        return any(device.kind in "CL" for device in self.circuit.devices)

    def devices(self, kinds: str) -> list[Device]:
        """The devices of these kinds, without current probes (sources of 0 V)."""
        return [d for d in self.circuit.devices if d.kind in kinds and not (d.kind == "V" and d.value == 0)]

    def pick(self, devices: Sequence[Device]) -> Device:
        return devices[int(self.rng.integers(len(devices)))]


def questions(
    circuit: Circuit, rng: np.random.Generator, *, kinds: Sequence[str], count: int, shows_names: bool = True
) -> tuple[Question, ...]:
    """`count` different questions about a circuit, uniform over `kinds`, and then over devices and pairs of them.

    Kinds without a sensible question are left out, such as a transfer function without symbols, or a voltage of 0.
    There are fewer than `count` where the circuit has no more. `shows_names`: whether the drawing shows the names of
    devices. Marks are named U0, U1 and so on, and I0, I1 and so on. Raises ValueError for an unknown kind.
    """
    if unknown := set(kinds) - set(_MAKERS):
        raise ValueError(f"kinds: expected some of {', '.join(_MAKERS)}, got {sorted(unknown)}")
    chosen_questions: list[Question] = []
    for _ in range(_TRIES_PER_QUESTION * count):
        if len(chosen_questions) == count:
            break
        make_question = _MAKERS[str(rng.choice(list(kinds)))]
        question = make_question(_Draw(circuit, rng, shows_names, len(chosen_questions)))
        if question is not None and all(_are_different(question, q) for q in chosen_questions):
            chosen_questions.append(question)
    return tuple(chosen_questions)


def _are_different(a: Question, b: Question) -> bool:
    """Whether both texts and marks differ; names of marks do not count."""
    a_mark, b_mark = (replace(q.mark, name="") if q.mark else q.text for q in (a, b))
    return a.text != b.text and a_mark != b_mark


# ------------------------------------------------------------------------------------------------ the kinds of question


def _measurement(draw: _Draw) -> Question | None:
    """A marked voltage or current, or a power; at 0 Hz, or as a phasor where a device stores energy."""
    if draw.is_symbolic:
        return None
    rng = draw.rng
    device = draw.pick([d for d in draw.devices(LINEAR_KINDS) if len(d.nodes) >= 2])
    frequency = float(rng.choice(FREQUENCIES_HZ)) if draw.stores_energy and rng.random() < 0.4 else 0.0
    quantity = str(rng.choice(["v", "v", "i", "i", "p"] if draw.shows_names and not frequency else ["v", "i"]))
    is_reversed = bool(rng.random() < 0.4)
    mark, probe = None, Probe("p", (device.name,))
    text = f"What is the power that {device.name} takes up in this circuit?"
    if quantity != "p":
        kind: Literal["voltage", "current"] = "voltage" if quantity == "v" else "current"
        mark = Mark(kind, f"{'U' if quantity == 'v' else 'I'}{draw.number}", device.name, is_reversed=is_reversed)
        probe = _marked_probe(device, mark)
        text = f"What is the {kind} {mark.name} in this circuit?"
    if frequency:
        frequency_text = f"{frequency / 1e3:g} kHz" if frequency >= 1e3 else f"{frequency:g} Hz"
        text = text[:-1] + f" as a phasor, with all sources at {frequency_text} and their values as amplitudes?"
    answer = _answer(draw.circuit, probe, frequency)
    return Question("measurement", text, answer, probe, mark, frequency) if answer else None


def _marked_probe(device: Device, mark: Mark) -> Probe:
    """The probe of a marked voltage from its plus to its minus, or of a marked current along its arrow."""
    if mark.kind == "voltage":
        return Probe("v", device.nodes[1::-1] if mark.is_reversed else device.nodes[:2], name=mark.name)
    return Probe("i", (device.name,), name=mark.name, negative=mark.is_reversed)


def _transfer(draw: _Draw) -> Question | None:
    """The transfer function from a voltage source to a marked voltage."""
    sources, outputs = draw.devices("V"), draw.devices("RCL")
    if not draw.shows_names or not draw.is_symbolic or not sources or not outputs:
        return None
    source, output = draw.pick(sources), draw.pick(outputs)
    mark = Mark("voltage", f"U{draw.number}", output.name, is_reversed=bool(draw.rng.random() < 0.3))
    probe = replace(_marked_probe(output, mark), source=source.name)
    formula = _formula(draw.circuit, source.name, probe.targets)
    text = f"What is the transfer function from {source.name} to the voltage {mark.name} in this circuit?"
    return Question("transfer_function", text, f"H(s) = {formula}", probe, mark) if formula else None


@lru_cache(maxsize=128)  # the same output of a circuit is drawn again and again
def _formula(circuit: Circuit, source: str, output: tuple[str, ...]) -> str:
    """The transfer function; empty where there is none, or where it is long or has no symbols."""
    try:
        function = transfer_function(circuit, source=source, output=output)
    except (SingularCircuitError, TooLargeError):
        return ""
    has_few_terms = function.symbols and function.term_count <= _MAX_TERMS
    return function.text if has_few_terms and len(function.text) <= MAX_FORMULA_CHARS else ""


def _impedance(draw: _Draw) -> Question | None:
    """The impedance between the pins of a device, with all sources set to zero."""
    if not draw.shows_names or draw.is_symbolic:
        return None
    device = draw.pick([d for d in draw.circuit.devices if len(d.nodes) >= 2])
    frequency = float(draw.rng.choice(FREQUENCIES_HZ)) if draw.stores_energy else 0.0
    probe = Probe("z", device.nodes[:2])
    answer = _answer(draw.circuit, probe, frequency)
    quantity = f"impedance at {frequency:g} Hz" if frequency else "resistance"
    text = f"What is the equivalent {quantity} between the ends of {device.name}, with all sources set to zero?"
    return Question("impedance", text, answer, probe, frequency_hz=frequency) if answer else None


def _perception(draw: _Draw) -> Question | None:
    """How many devices of a kind there are, the value of a device, or whether two devices are connected."""
    topic = int(draw.rng.integers(3)) if draw.shows_names else 0
    if topic == 0:
        kind = str(draw.rng.choice(list(_KIND_WORDS)))
        return Question(
            "perception", f"How many {_KIND_WORDS[kind]} are in this circuit?", str(len(draw.devices(kind)))
        )
    if topic == 1:
        candidates = [d for d in draw.devices("RCLVI") if d.value is not None]
        if not candidates:
            return None
        device = draw.pick(candidates)
        assert device.value is not None, "only devices with a value are candidates"
        answer = format_quantity(device.value, _UNITS[device.kind])
        return Question("perception", f"What is the value of {device.name}?", answer)
    devices = draw.circuit.devices
    first, second = (devices[int(i)] for i in draw.rng.choice(len(devices), size=2, replace=False))
    text = f"Are {first.name} and {second.name} connected to each other directly, at a common node?"
    return Question("perception", text, "yes" if set(first.nodes[:2]) & set(second.nodes[:2]) else "no")


def _choice(draw: _Draw) -> Question | None:
    """A measurement with five options; the last option is that none of the others is right."""
    question = _measurement(draw)
    if question is None or question.probe is None:
        return None
    value = _value(draw.circuit, question.probe, question.frequency_hz)
    assert value is not None, "a measurement has a value"
    factors = draw.rng.permutation([-1.0, 0.5, 2.0, 0.1, 10.0, 1.5, -0.5, 0.75, -2.0])[:4]
    options = [format_quantity(value * factor, question.probe.unit) for factor in factors]
    place = int(draw.rng.integers(5))  # at 4 the answer is not among the options
    options.insert(place, question.answer)
    options[4] = NONE_OF_THEM
    lines = "\n".join(f"{letter}) {text}" for letter, text in zip(LETTERS, options, strict=True))
    text = f"{question.text}\n{lines}\nAnswer with the letter."
    return replace(question, kind="choice", text=text, answer=LETTERS[place], options=tuple(options))


_MAKERS: dict[str, Callable[[_Draw], Question | None]] = {
    "measurement": _measurement,
    "transfer_function": _transfer,
    "impedance": _impedance,
    "perception": _perception,
    "choice": _choice,
}


def _answer(circuit: Circuit, probe: Probe, frequency_hz: float) -> str:
    """The value of a probe as text; empty where it has none or makes no question."""
    value = _value(circuit, probe, frequency_hz)
    return "" if value is None else format_quantity(value, probe.unit)


def _value(circuit: Circuit, probe: Probe, frequency_hz: float) -> float | complex | None:
    """The value of a probe; None where there is none, or where it makes no question: 0, 1, -1 or a huge value."""
    try:
        value = measure(circuit, probe, frequency_hz)
    except (SingularCircuitError, ProbeError):
        return None
    return None if abs(value) < _ZERO or value in (1.0, -1.0) or abs(value) > 1e9 else value
