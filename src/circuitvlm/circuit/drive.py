"""What drives a circuit, and which number does a device state?"""

from __future__ import annotations

from circuitvlm.circuit.graph import Circuit, Device

_IDEAL = frozenset({"ad", "inf", "infinity", "opamp", "∞"})

_HARMLESS = frozenset({"ic", "tc", "tc1", "tc2", "tce", "tol", "temp", "dtemp", "noisy"})
"""Parameters that change neither an operating point nor a small-signal answer at the nominal temperature."""


class UnsolvableDeviceError(ValueError):
    """A device that no exact answer is computed for: of an unknown kind, or without a number."""


def is_ideal(device: Device) -> bool:
    """Whether an E source is an ideal op-amp: its gain is called Ad (CircuitSense), inf or opamp."""
    return device.kind == "E" and device.value is None and device.text.split(" ")[0].strip("{}").lower() in _IDEAL


def stated_value(device: Device) -> float:
    """The number of a device, in base units. Raises UnsolvableDeviceError where there is none, or a multiplier."""
    if device.value is None:
        said = f"it says {device.text[:40]!r}" if device.text else "it says nothing"
        raise UnsolvableDeviceError(f"{device.name} has no numeric value ({said}); wanted one such as 4.7k")
    if device.kind in "RCL" and device.text:
        for word in device.text.split():
            if word.partition("=")[0].lower() not in _HARMLESS and not word.endswith("%"):
                raise UnsolvableDeviceError(f"{device.name}: what {word[:40]!r} does to its value is not known here")
    return device.value


def phasors(circuit: Circuit) -> dict[str, complex]:
    """The phasor of each independent source by name, in volt or ampere (amplitude).

    A source's phasor is its `ac` part. If at least one source states one, those without are 0, as in SPICE; if none
    does, every source is driven by its plain value. Raises UnsolvableDeviceError where that value is missing.
    """
    sources = [device for device in circuit.devices if device.kind in "VI"]
    if any(source.ac is not None for source in sources):
        return {source.name: source.ac or 0j for source in sources}
    return {source.name: complex(stated_value(source)) for source in sources}
