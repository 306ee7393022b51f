"""Write one device as a line of a netlist."""

from __future__ import annotations

import cmath
import math
from collections.abc import Mapping
from dataclasses import replace

from circuitvlm.circuit.graph import GROUND, Circuit, Device
from circuitvlm.circuit.mentions import find_mentions, rewrite_mentions
from circuitvlm.circuit.netlist.lexer import NetlistError, is_single_line
from circuitvlm.circuit.netlist.statement import node_key
from circuitvlm.circuit.quantity import format_engineering


def node_numbers(circuit: Circuit) -> dict[str, str]:
    """1, 2, .. for each node but ground, by first appearance; 0 for ground, whether the circuit has it or not."""
    nodes = [node for node in circuit.nodes if node != GROUND]
    return {GROUND: GROUND} | {node: str(i) for i, node in enumerate(nodes, start=1)}


def find_text_names(circuit: Circuit, *, names: Mapping[str, str]) -> dict[str, str]:
    """The new names of the nodes that texts mention, by their keys, where `names` holds those of the circuit's nodes.

    Nodes that no device has are numbered after the others.
    """
    devices = [device for device in circuit.devices if "(" in device.text]
    result = {node_key(node): name for node, name in names.items()} if devices else {}
    for device in devices:
        for mention in find_mentions(device):
            if mention.is_node:
                result.setdefault(node_key(mention.name), str(len(result)))
    return result


def device_line(device: Device, *, names: Mapping[str, str], text_names: Mapping[str, str] | None = None) -> str:
    """`NAME n1 n2 VALUE [AC ..] [text]`, with the names of nodes from `names`, and in the text from `mentioned`.

    Without `mentioned` the text remains as it is. Raises NetlistError for control characters.
    """
    if text_names is not None and "(" in device.text:
        device = replace(
            device, text=rewrite_mentions(device, lambda m: text_names[node_key(m.name)] if m.is_node else m.name)
        )
    words = device.text.split(" ") if device.text else []
    # The devices that F, H and K refer to stand before the value, all other text after it.
    count = {"F": 1, "H": 1, "K": 2}.get(device.kind, 0) if device.value is not None else 0
    parts = [device.name, *(names[node] for node in device.nodes), *words[:count]]
    if device.value is not None:
        parts.append(format_engineering(device.value))
    if device.ac is not None:
        parts.append(_format_phasor(device.ac))
    line = " ".join([*parts, *words[count:]])
    if not is_single_line(line):
        raise NetlistError(f"{device.name[:20]!r}: expected no control character, got {line[:80]!r}")
    return line


def _format_phasor(phasor: complex) -> str:
    """`AC magnitude [degrees]`."""
    magnitude, degrees = abs(phasor), math.degrees(cmath.phase(phasor))
    # A phase below a millionth of a degree cannot be distinguished from rounding, and could be lost in reading.
    angle = format_engineering(degrees) if abs(degrees) >= 1e-6 else "0"
    if angle in ("180", "-180"):
        magnitude, angle = -magnitude, "0"
    return f"AC {format_engineering(magnitude)}" + (f" {angle}" if angle != "0" else "")
