"""How is a device written on one line?"""

from __future__ import annotations

import cmath
import math
import re
from collections.abc import Mapping

from circuitvlm.circuit.drive import is_ideal, stated_value
from circuitvlm.circuit.graph import GROUND, Circuit, Device
from circuitvlm.circuit.netlist.lexer import NetlistError, is_plain
from circuitvlm.circuit.quantity import format_engineering

_SAFE_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,31}")
_OPEN_LOOP = 1e9
"""The gain of an ideal op-amp where a simulator needs a number."""

_EXPORTED = "RCLVIEGFH"


def numbers(circuit: Circuit) -> dict[str, str]:
    """1, 2, .. for each node but ground, by first appearance; 0 for ground, whether or not it is there."""
    inner = [node for node in circuit.nodes if node != GROUND]
    return {GROUND: GROUND} | {node: str(i) for i, node in enumerate(inner, start=1)}


def line(device: Device, *, names: Mapping[str, str]) -> str:
    """`NAME n1 n2 VALUE [AC ..] [text]`, nodes called as `names` says. Raises NetlistError for control characters."""
    parts = [device.name, *(names[node] for node in device.nodes)]
    head, tail = _split_text(device)
    parts += head
    if device.value is not None:
        parts.append(format_engineering(device.value))
    if device.ac is not None:
        parts.append(_ac(device.ac))
    text = " ".join([*parts, *tail])
    if not is_plain(text):
        raise NetlistError(f"{device.name[:20]!r} holds a control character; no line can state it")
    return text


def _split_text(device: Device) -> tuple[list[str], list[str]]:
    """The words of `text` that stand before the value (the devices that F, H and K refer to), and those after it."""
    said = device.text.split(" ") if device.text else []
    count = {"F": 1, "H": 1, "K": 2}.get(device.kind, 0) if device.value is not None else 0
    return said[:count], said[count:]


def _ac(phasor: complex) -> str:
    """`AC magnitude [degrees]`."""
    magnitude, degrees = abs(phasor), math.degrees(cmath.phase(phasor))
    # Below a millionth of a degree a phase cannot be told from rounding, and could be lost in reading.
    angle = format_engineering(degrees) if abs(degrees) >= 1e-6 else "0"
    if angle in ("180", "-180"):
        magnitude, angle = -magnitude, "0"
    stated = f"AC {format_engineering(magnitude)}"
    return f"{stated} {angle}" if angle != "0" else stated


def exported(device: Device, *, names: Mapping[str, str], drive: Mapping[str, complex]) -> str:
    """A line of a deck for a simulator, made of a checked name and numbers alone. `drive` holds the phasors, if any."""
    if device.kind not in _EXPORTED or not _SAFE_NAME.fullmatch(device.name) or device.name[0] != device.kind:
        raise NetlistError(f"{device.name[:40]!r} is not exported; wanted a plain name of a kind in {_EXPORTED}")
    parts = [device.name, *(names[node] for node in device.nodes)]
    if device.kind in "FH":
        parts.append(_control(device))
    if device.kind in "VI" and drive:
        phasor = drive[device.name]
        return " ".join([*parts, "DC 0", f"AC {abs(phasor)!r} {math.degrees(cmath.phase(phasor))!r}"])
    return " ".join([*parts, repr(_OPEN_LOOP if is_ideal(device) else stated_value(device))])


def _control(device: Device) -> str:
    name = device.text.upper()
    if not _SAFE_NAME.fullmatch(name):
        raise NetlistError(
            f"{device.name} is controlled by {device.text[:40]!r}; wanted the name of one voltage source"
        )
    return name
