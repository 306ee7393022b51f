"""Compute the numeric values of devices and the phasors of sources."""

from __future__ import annotations

from circuitvlm.circuit.graph import LINEAR_KINDS, PIN_NAMES, Circuit, Device

_OPAMP_GAINS = frozenset({"ad", "inf", "infinity", "opamp", "∞"})

_IGNORED_PARAMETERS = frozenset({"ic", "tc", "tc1", "tc2", "tce", "tol", "temp", "dtemp", "noisy"})
"""Parameters that change neither an operating point nor a small-signal answer at the nominal temperature."""


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
    """The value of a device, in base units.

    Raises UnsolvableDeviceError where the device has no number, or has a parameter that changes its value.
    """
    if device.value is None:
        raise UnsolvableDeviceError(f"{device.name}: expected a numeric value such as 4.7k, got {device.text[:40]!r}")
    for word in device.text.split() if device.kind in "RCL" else ():
        if word.partition("=")[0].lower() not in _IGNORED_PARAMETERS and not word.endswith("%"):
            raise UnsolvableDeviceError(f"{device.name}: expected a value without parameters, got {word[:40]!r}")
    return device.value


def phasors(circuit: Circuit) -> dict[str, complex]:
    """The phasor of each independent source by name, in volt or ampere (amplitude).

    A source's phasor is its `ac` part. If at least one source states one, the phasors of the others are 0, as in SPICE.
    If none does, the phasors are the plain values. Raises UnsolvableDeviceError where such a value is missing.
    """
    sources = [device for device in circuit.devices if device.kind in "VI"]
    if any(source.ac is not None for source in sources):
        return {source.name: source.ac or 0j for source in sources}
    return {source.name: complex(numeric_value(source)) for source in sources}
