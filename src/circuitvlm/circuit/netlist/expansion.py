"""Replace devices that SPICE describes in one line by the plain devices that they consist of."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from circuitvlm.circuit.graph import Device
from circuitvlm.circuit.netlist.value import is_number
from circuitvlm.circuit.quantity import parse_spice

_POLY = re.compile(r"poly\((\d{1,2})\)", re.I)
_PARTS = {"rser": "R", "lser": "L", "rpar": "R", "cpar": "C"}
"""LTspice's parasitic parts of V, I, L and C, in series or parallel, by the word that states each."""


def expand(device: Device) -> list[Device]:
    """The device, with its parasitic parts as devices of their own; or the sources that a linear POLY sums.

    The part Rser of V1 is R.V1.RSER, and the node between them n.V1.rser. A POLY with products stays as it is.
    """
    if device.kind in "EGFH" and (match := _POLY.match(device.text)):
        return _expand_poly(device, device.text.split()[1:], count=int(match[1])) or [device]
    return _expand_parasitics(device) if device.kind in "VILC" and "=" in device.text else [device]


def _expand_parasitics(device: Device) -> list[Device]:
    words = device.text.split()
    parts = {key.lower(): value for key, _, value in (word.partition("=") for word in words) if is_number(value)}
    plus, minus = device.nodes
    parallel_parts, chain = [], []
    for key in [key for key in _PARTS if key in parts and parse_spice(parts[key])]:
        part = Device(_name(_PARTS[key], device, key), _PARTS[key], device.nodes, parse_spice(parts[key]))
        if key.endswith("par"):
            parallel_parts.append(part)
        else:
            inner_node = f"n.{device.name}.{key}"
            chain.append(replace(part, nodes=(plus, inner_node)))
            plus = inner_node
    text = " ".join(word for word in words if word.partition("=")[0].lower() not in _PARTS)
    return [replace(device, nodes=(plus, minus), text=text), *chain, *parallel_parts]


def _expand_poly(device: Device, words: Sequence[str], *, count: int) -> list[Device]:
    """The sources of `POLY(n) inputs p0 p1 .. pn`; none where the words state a product or no numbers."""
    width = 2 if device.kind in "EG" else 1
    inputs, numbers = words[: count * width], words[count * width :]
    if not 1 < len(numbers) <= count + 1 or not all(map(is_number, numbers)):
        return []
    constant, *gains = map(parse_spice, numbers)
    is_current = device.kind in "GF"
    sources = []
    for place, gain in enumerate(gains):
        control = inputs[place * width : (place + 1) * width]
        name = device.name if place == 0 else _name(device.kind, device, str(place + 1))
        nodes = tuple(control) if width == 2 else ()
        sources.append(Device(name, device.kind, (*device.nodes, *nodes), gain, None, "" if nodes else control[0]))
    if constant:
        kind = "I" if is_current else "V"
        sources.append(Device(_name(kind, device, "0"), kind, device.nodes, constant))
    return sources if is_current else _connect_in_series(sources, device)


def _connect_in_series(sources: Sequence[Device], device: Device) -> list[Device]:
    """The voltage sources one after the other between the nodes of the device."""
    first, last = device.nodes
    inner_nodes = [f"n.{device.name}.{place}" for place in range(1, len(sources))]
    pairs = zip([first, *inner_nodes], [*inner_nodes, last], strict=True)
    return [replace(s, nodes=(*pair, *s.nodes[2:])) for s, pair in zip(sources, pairs, strict=True)]


def _name(kind: str, device: Device, part: str) -> str:
    return f"{kind}.{device.name}.{part.upper()}"
