"""Which other devices and nodes does the text of a device name?"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from circuitvlm.circuit.graph import Device

_EXPRESSED = frozenset("BEGRCL")
"""Kinds whose text may hold an expression of voltages and currents."""

_NAMING = _EXPRESSED | frozenset("FHWK")
_PROBE = re.compile(r"\b([vi])\(([^()]*)\)", re.I)
_POLY = re.compile(r"poly\(([0-9]{1,3})\)", re.I)
_NAME = re.compile(r"[^\s(),={}]+")


@dataclass(frozen=True, slots=True)
class Mention:
    """Where a text names a node or, if not `is_node`, another device."""

    start: int
    end: int
    name: str
    is_node: bool


def mentions(device: Device) -> list[Mention]:
    """The nodes and devices that a device's text names, in its order: what controls F, H and W, the coils of K, the
    inputs of POLY(n), and the v(a,b) and i(V1) in expressions."""
    if not device.text or device.kind not in _NAMING:
        return []
    poly = _POLY.match(device.text) if device.kind in "EGFH" else None
    if poly:
        count = int(poly[1]) * (2 if device.kind in "EG" else 1)
        return _words(device.text, start=poly.end(), count=count, is_node=device.kind in "EG")
    if device.kind in "FHW":
        return _words(device.text, start=0, count=1, is_node=False)
    if device.kind == "K":
        named = _words(device.text, start=0, count=len(device.text), is_node=False)
        return named[: next((i for i, word in enumerate(named) if word.name[0] not in "Ll"), len(named))]
    if "(" not in device.text:
        return []
    found: list[Mention] = []
    for probe in _PROBE.finditer(device.text):
        inside = _words(device.text[: probe.end(2)], start=probe.start(2), count=2, is_node=probe[1] in "Vv")
        found += inside
    return found


def rewritten(device: Device, new: Callable[[Mention], str]) -> str:
    """The device's text with `new` in the place of each name."""
    found = mentions(device)
    if not found:
        return device.text
    parts: list[str] = []
    place = 0
    for mention in found:
        parts += [device.text[place : mention.start], new(mention)]
        place = mention.end
    return "".join(parts) + device.text[place:]


def _words(text: str, *, start: int, count: int, is_node: bool) -> list[Mention]:
    found: list[Mention] = []
    for word in _NAME.finditer(text, start):
        if len(found) == count:
            break
        found.append(Mention(word.start(), word.end(), word.group(), is_node))
    return found
