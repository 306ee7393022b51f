"""Write a circuit as a deck for ngspice."""

from __future__ import annotations

import cmath
import math
import re
from collections.abc import Mapping

from circuitvlm.circuit.graph import GROUND, LINEAR_KINDS, Circuit, Device
from circuitvlm.circuit.netlist.lexer import NetlistError
from circuitvlm.circuit.netlist.writer import node_numbers
from circuitvlm.circuit.values import is_ideal_opamp, numeric_value, phasors

_ANALYSIS = re.compile(r"op|ac ([0-9]{1,30}(?:\.[0-9]{1,30})?(?:e[+-]?[0-9]{1,2})?)")
_SAFE_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,31}")
_OPEN_LOOP_GAIN = 1e9
"""The gain of an ideal op-amp where a simulator needs a number."""


def deck(circuit: Circuit, analysis: str = "op") -> str:
    """A complete deck for `ngspice -b`. It prints all node voltages, and the currents of voltage sources and inductors.

    `analysis` is "op" or "ac <frequency in hertz>"; for ac the sources have the phasors of `values.phasors`. Node k is
    the k-th node of `circuit.nodes` without ground. No text of the circuit is copied: names are checked and numbers are
    printed anew, so that no card or command can enter. Raises NetlistError for what cannot be exported.
    """
    frequency = _parse_frequency(analysis)
    names = node_numbers(circuit)
    source_phasors = phasors(circuit) if frequency else {}
    lines = ["circuitvlm", ".options filetype=ascii"]
    lines += [_device_line(device, names=names, source_phasors=source_phasors) for device in circuit.devices]
    quantities = [f"v({name})" for name in names.values() if name != GROUND]
    quantities += [f"i({device.name.lower()})" for device in circuit.devices if device.kind in "VL"]
    lines.append(f".ac lin 1 {frequency!r} {frequency!r}" if frequency else ".op")
    lines += [f".print {'ac' if frequency else 'op'} {quantity}" for quantity in quantities]
    return "\n".join([*lines, ".end", ""])


def _parse_frequency(analysis: str) -> float:
    """The frequency in hertz, 0 for an operating point."""
    match = _ANALYSIS.fullmatch(" ".join(analysis.split()))
    frequency = float(match[1] or 0) if match else 0.0
    if match is None or (match[1] and not frequency):
        raise NetlistError(
            f"analysis: expected 'op' or 'ac <frequency in hertz>' such as 'ac 1000', got {analysis[:40]!r}"
        )
    return frequency


def _device_line(device: Device, *, names: Mapping[str, str], source_phasors: Mapping[str, complex]) -> str:
    """The line of a device, made only of checked names and of numbers. An AC analysis needs `source_phasors`."""
    if device.kind not in LINEAR_KINDS or device.name[0] != device.kind:
        raise NetlistError(f"{device.name[:40]!r}: expected a device to export, of a kind in {LINEAR_KINDS}")
    parts = [_check_name(device.name, device), *(names[node] for node in device.nodes)]
    if device.kind in "FH":
        parts.append(_check_name(device.text.upper(), device))
    if device.kind in "VI" and source_phasors:
        phasor = source_phasors[device.name]
        return " ".join([*parts, "DC 0", f"AC {abs(phasor)!r} {math.degrees(cmath.phase(phasor))!r}"])
    return " ".join([*parts, repr(_OPEN_LOOP_GAIN if is_ideal_opamp(device) else numeric_value(device))])


def _check_name(name: str, device: Device) -> str:
    if not _SAFE_NAME.fullmatch(name):
        raise NetlistError(f"{device.name[:40]!r}: expected a plain name of a device to export, got {name[:40]!r}")
    return name
