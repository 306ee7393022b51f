"""Compute the numeric values of devices and the phasors of sources."""

from __future__ import annotations

import re
from dataclasses import replace

from circuitvlm.circuit.graph import LINEAR_KINDS, PIN_NAMES, Circuit, Device
from circuitvlm.circuit.quantity import parse_spice

_OPAMP_GAINS = frozenset({"ad", "inf", "infinity", "opamp", "∞"})

_IGNORED_PARAMETERS = frozenset({"ic", "tc", "tc1", "tc2", "tce", "tol", "temp", "dtemp", "noisy", "w", "l"})
"""Parameters that change neither an operating point nor a small-signal answer at the nominal temperature."""


_WAVEFORM = re.compile(r"(sine?|pulse|exp|pwl|sffm)\(([^()]*)\)", re.I)


class UnsolvableDeviceError(ValueError):
    """A device without an exact answer: its kind is unknown, or it has no numeric value."""


def check_solvable(device: Device) -> None:
    """Raise UnsolvableDeviceError for a device of a kind that is not solved, or with the wrong number of nodes."""
    if device.kind not in LINEAR_KINDS or len(device.nodes) != len(PIN_NAMES[device.kind]):
        raise UnsolvableDeviceError(
            f"{device.name}: expected a device of a kind in {LINEAR_KINDS} with SPICE's number of nodes,"
            f" got kind {device.kind} with {len(device.nodes)} nodes"
        )


def is_ideal_opamp(device: Device) -> bool:
    """Whether an E source is an ideal op-amp: its gain is called Ad (CircuitSense), inf or opamp."""
    return device.kind == "E" and device.value is None and device.text.split(" ")[0].strip("{}").lower() in _OPAMP_GAINS


def numeric_value(device: Device) -> float:
    """The value of a device, in base units; of a source with a waveform alone, the waveform's value at the start.

    Raises UnsolvableDeviceError where the device has no number, or has a parameter that changes its value.
    """
    if device.value is None and (start := _start_value(device)) is not None:
        return start
    if device.value is None:
        raise UnsolvableDeviceError(f"{device.name}: expected a numeric value such as 4.7k, got {device.text[:40]!r}")
    for word in device.text.split():
        key, _, value = word.partition("=")
        is_ignored = key.lower() in _IGNORED_PARAMETERS or word.endswith("%")
        if not is_ignored and (value or device.kind in "RCL"):
            raise UnsolvableDeviceError(f"{device.name}: expected a value without parameters, got {word[:40]!r}")
    return device.value


def _start_value(device: Device) -> float | None:
    """The value of `SINE(offset ..)`, `PULSE(first ..)`, `PWL(time first ..)` at the start, which SPICE takes at DC.

    None for another text, and for a sine with a phase.
    """
    match = _WAVEFORM.fullmatch(device.text) if device.kind in "VI" else None
    numbers = match[2].replace(",", " ").split() if match else []
    place = 1 if match and match[1].lower() == "pwl" else 0
    if match is None or len(numbers) <= place or (match[1].lower().startswith("sin") and len(numbers) > 5):
        return None
    try:
        return parse_spice(numbers[place])
    except ValueError:
        return None


def phasors(circuit: Circuit) -> dict[str, complex]:
    """The phasor of each independent source by name, in volt or ampere (amplitude).

    A source's phasor is its `ac` part. If at least one source states one, the phasors of the others are 0, as in SPICE.
    If none does, the phasors are the plain values. Raises UnsolvableDeviceError where such a value is missing.
    """
    sources = [device for device in circuit.devices if device.kind in "VI"]
    if any(source.ac is not None for source in sources):
        return {source.name: source.ac or 0j for source in sources}
    return {source.name: complex(numeric_value(replace(source, text=""))) for source in sources}
