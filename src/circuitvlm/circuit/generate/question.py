"""What can be asked about a circuit, and what is the exact answer?

Every quantity that is asked for has a polarity that the drawing shows (a mark), so signs are part of the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from circuitvlm.circuit.draw.geometry import Mark
from circuitvlm.circuit.graph import Circuit, Device
from circuitvlm.circuit.quantity import format_quantity
from circuitvlm.circuit.solve import probe as probes
from circuitvlm.circuit.solve.equations import values_of
from circuitvlm.circuit.solve.numeric import SingularCircuitError
from circuitvlm.circuit.solve.probe import Probe, measure
from circuitvlm.circuit.solve.symbolic import TooLargeError, transfer_function

LONGEST_FORMULA = 200
"""Characters of a transfer function that is still asked for."""

FREQUENCIES_HZ = (50.0, 60.0, 100.0, 400.0, 1e3, 5e3, 10e3)
LETTERS = "ABCDE"
NONE_OF_THEM = "None of the above"

_MOST_TERMS = 40
"""A fraction of more terms is never that short, and takes longer to factor than all the rest."""

_TRIES = 12
_SMALLEST = 1e-9
"""Magnitude under which a voltage, current or power counts as zero, which is no question."""

_KIND_WORDS = {"R": "resistors", "C": "capacitors", "L": "inductors", "V": "voltage sources", "I": "current sources"}
_UNITS = {"R": "Ohm", "C": "F", "L": "H", "V": "V", "I": "A"}


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its answer as text.

    `kind` is measurement, transfer_function, impedance, perception or choice. `probe` says what is measured, and
    `mark` what the drawing must show for it; a probe's names are those of the circuit. `options` are the five texts of
    a choice, whose answer is a letter.
    """

    kind: str
    text: str
    answer: str
    probe: Probe | None = None
    mark: Mark | None = None
    frequency_hz: float = 0.0
    options: tuple[str, ...] = ()


def questions(
    circuit: Circuit, rng: np.random.Generator, *, kinds: Sequence[str], count: int, named: bool = True
) -> tuple[Question, ...]:
    """`count` different questions about a circuit, uniform over `kinds` and then over devices and pairs of them.

    Kinds that the circuit has no sensible question of (a transfer function without symbols, a voltage that is 0) are
    passed over; fewer than `count` come back where there are no more. `named`: the drawing shows the devices' names.
    Marks are called U0, U1 .. and I0, I1 ... Raises ValueError for an unknown kind.
    """
    unknown = set(kinds) - set(_MAKERS)
    if unknown:
        raise ValueError(f"questions: no kind {sorted(unknown)}; there are {', '.join(_MAKERS)}")
    made: list[Question] = []
    for _ in range(_TRIES * count):
        if len(made) == count:
            break
        kind = str(rng.choice(list(kinds)))
        asked = _MAKERS[kind](circuit, rng, named, len(made))
        if asked is not None and all(asked.text != other.text and _mark_of(asked) != _mark_of(other) for other in made):
            made.append(asked)
    return tuple(made)


def _mark_of(asked: Question) -> object:
    """What is marked, without its name; a question without a mark differs from all others."""
    return replace(asked.mark, name="") if asked.mark else asked.text


def _is_symbolic(circuit: Circuit) -> bool:
    return any(value.symbols() for value in values_of(circuit).values())


# --------------------------------------------------------------------------------------------------------- the makers


def _measurement(circuit: Circuit, rng: np.random.Generator, named: bool, number: int) -> Question | None:
    """A voltage or current that is marked, or a power; at 0 Hz, or as a phasor where something stores energy."""
    if _is_symbolic(circuit):
        return None
    device = _pick(
        rng, [d for d in circuit.devices if len(d.nodes) >= 2 and d.kind in "RCLVIEGFH" and not _is_probe(d)]
    )
    stores = any(d.kind in "CL" for d in circuit.devices)
    frequency = float(rng.choice(FREQUENCIES_HZ)) if stores and rng.random() < 0.4 else 0.0
    quantity = str(rng.choice(["v", "v", "i", "i", "p"] if named and not frequency else ["v", "i"]))
    back = bool(rng.random() < 0.4)
    if quantity == "p":
        asked, mark, name = Probe("p", (device.name,)), None, ""
        text = f"What is the power that {device.name} takes up in this circuit?"
    else:
        name = f"{'U' if quantity == 'v' else 'I'}{number}"
        mark = Mark("voltage" if quantity == "v" else "current", name, device.name, reversed=back)
        asked = _oriented(device, quantity=quantity, back=back, name=name)
        text = f"What is the {mark.kind} {name} in this circuit?"
    if frequency:
        said = f"{frequency / 1e3:g} kHz" if frequency >= 1e3 else f"{frequency:g} Hz"
        text = text[:-1] + f" as a phasor, with all sources at {said} and their values as amplitudes?"
    value = _value(circuit, asked, frequency)
    if value is None:
        return None
    answer = format_quantity(value, asked.unit)
    return Question("measurement", text, answer, probe=asked, mark=mark, frequency_hz=frequency)


def _oriented(device: Device, *, quantity: str, back: bool, name: str) -> Probe:
    """The probe of a device's voltage from its marked plus, or of its current along the arrow (`-NAME` against it)."""
    if quantity == "v":
        plus, minus = device.nodes[1::-1] if back else device.nodes[:2]
        return Probe("v", (plus, minus), name=name)
    return Probe("i", (device.name,), name=name, negative=back)


def _transfer(circuit: Circuit, rng: np.random.Generator, named: bool, number: int) -> Question | None:
    """From a voltage source to a marked voltage."""
    if not named or not _is_symbolic(circuit):
        return None
    sources = [d for d in circuit.devices if d.kind == "V" and not _is_probe(d)]
    outputs = [d for d in circuit.devices if d.kind in "RCL"]
    if not sources or not outputs:
        return None
    source, output = _pick(rng, sources), _pick(rng, outputs)
    back = bool(rng.random() < 0.3)
    name = f"U{number}"
    asked = replace(_oriented(output, quantity="v", back=back, name=name), source=source.name)
    formula = _formula(circuit, source.name, asked.of)
    if not formula:
        return None
    text = f"What is the transfer function from {source.name} to the voltage {name} in this circuit?"
    mark = Mark("voltage", name, output.name, reversed=back)
    return Question("transfer_function", text, f"H(s) = {formula}", probe=asked, mark=mark)


@lru_cache(maxsize=128)  # the same output of a circuit is drawn by lot again and again
def _formula(circuit: Circuit, source: str, output: tuple[str, ...]) -> str:
    """The transfer function; empty where there is none, or none that is short and has symbols."""
    try:
        made = transfer_function(circuit, source=source, output=output)
    except (SingularCircuitError, TooLargeError):
        return ""
    return made.text if made.symbols and made.terms <= _MOST_TERMS and len(made.text) <= LONGEST_FORMULA else ""


def _impedance(circuit: Circuit, rng: np.random.Generator, named: bool, number: int) -> Question | None:
    """Between the ends of a device, the sources being zero."""
    if not named or _is_symbolic(circuit):
        return None
    device = _pick(rng, [d for d in circuit.devices if len(d.nodes) >= 2])
    stores = any(d.kind in "CL" for d in circuit.devices)
    frequency = float(rng.choice(FREQUENCIES_HZ)) if stores else 0.0
    asked = Probe("z", device.nodes[:2])
    value = _value(circuit, asked, frequency)
    if value is None:
        return None
    what = f"impedance at {frequency:g} Hz" if frequency else "resistance"
    text = f"What is the equivalent {what} between the ends of {device.name}, with all sources set to zero?"
    return Question("impedance", text, format_quantity(value, "Ohm"), probe=asked, frequency_hz=frequency)


def _perception(circuit: Circuit, rng: np.random.Generator, named: bool, number: int) -> Question | None:
    """How many, how large, or whether two are connected."""
    what = int(rng.integers(3)) if named else 0
    if what == 0:
        kind = str(rng.choice(list(_KIND_WORDS)))
        count = sum(d.kind == kind and not _is_probe(d) for d in circuit.devices)
        return Question("perception", f"How many {_KIND_WORDS[kind]} are in this circuit?", str(count))
    if what == 1:
        valued = [d for d in circuit.devices if d.kind in _UNITS and d.value is not None and not _is_probe(d)]
        if not valued:
            return None
        device = _pick(rng, valued)
        assert device.value is not None, "only devices with a value were kept"
        return Question(
            "perception", f"What is the value of {device.name}?", format_quantity(device.value, _UNITS[device.kind])
        )
    first, second = (circuit.devices[int(i)] for i in rng.choice(len(circuit.devices), size=2, replace=False))
    joined = bool(set(first.nodes[:2]) & set(second.nodes[:2]))
    text = f"Are {first.name} and {second.name} connected to each other directly, at a common node?"
    return Question("perception", text, "yes" if joined else "no")


def _choice(circuit: Circuit, rng: np.random.Generator, named: bool, number: int) -> Question | None:
    """A measurement with five options, the last of which is that none of the others is right."""
    asked = _measurement(circuit, rng, named, number)
    if asked is None or asked.probe is None:
        return None
    value = _value(circuit, asked.probe, asked.frequency_hz)
    assert value is not None, "what was asked once has a value"
    factors = [-1.0, 0.5, 2.0, 0.1, 10.0, 1.5, -0.5, 0.75, -2.0]
    wrong = [format_quantity(value * f, asked.probe.unit) for f in rng.permutation(factors)[:4]]
    place = int(rng.integers(5))  # 4: the answer is not among them
    options = (*wrong[:place], asked.answer, *wrong[place:3]) if place < 4 else tuple(wrong)
    lines = "\n".join(f"{letter}) {text}" for letter, text in zip(LETTERS, (*options, NONE_OF_THEM), strict=True))
    text = f"{asked.text}\n{lines}\nAnswer with the letter."
    return replace(asked, kind="choice", text=text, answer=LETTERS[place], options=(*options, NONE_OF_THEM))


Maker = Callable[[Circuit, np.random.Generator, bool, int], Question | None]
_MAKERS: dict[str, Maker] = {
    "measurement": _measurement,
    "transfer_function": _transfer,
    "impedance": _impedance,
    "perception": _perception,
    "choice": _choice,
}


def _value(circuit: Circuit, asked: Probe, frequency_hz: float) -> float | complex | None:
    """The value; None where there is none, or one that makes no question: 0, 1 or -1."""
    try:
        value = measure(circuit, asked, frequency_hz)
    except (SingularCircuitError, probes.ProbeError):
        return None
    return None if abs(value) < _SMALLEST or value in (1.0, -1.0) or abs(value) > 1e9 else value


def _pick(rng: np.random.Generator, devices: Sequence[Device]) -> Device:
    return devices[int(rng.integers(len(devices)))]


def _is_probe(device: Device) -> bool:
    return device.kind == "V" and device.value == 0
