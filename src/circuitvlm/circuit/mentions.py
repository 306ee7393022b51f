"""Find and replace the names of nodes and other devices in the text of a device."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice, takewhile

from circuitvlm.circuit.graph import Device

_EXPRESSION_KINDS = frozenset("BEGRCL")
"""Kinds whose text may hold an expression of voltages and currents."""

_PROBE = re.compile(r"\b([vi])\(([^()]*)\)", re.I)
_POLY = re.compile(r"poly\(([0-9]{1,3})\)", re.I)
_NAME = re.compile(r"[^\s(),={}]+")


@dataclass(frozen=True, slots=True)
class Mention:
    """The name of a node or, if not `is_node`, of another device in a text: `text[start:end]`."""

    start: int
    end: int
    name: str
    is_node: bool


def find_mentions(device: Device) -> list[Mention]:
    """The nodes and devices that a device's text names, in the order of the text.

    They are the controlling device of F, H and W, the coils of K, the inputs of POLY(n), and v(a,b) and i(V1) in
    expressions.
    """
    kind, text = device.kind, device.text
    poly = _POLY.match(text) if kind in "EGFH" else None
    if poly:
        count = int(poly[1]) * (2 if kind in "EG" else 1)
        return _find_names(text, start=poly.end(), count=count, is_node=kind in "EG")
    if kind in "FHW":
        return _find_names(text, start=0, count=1, is_node=False)
    if kind == "K":
        names = _find_names(text, start=0, count=len(text), is_node=False)
        return list(takewhile(lambda mention: mention.name[0] in "Ll", names))
    if kind not in _EXPRESSION_KINDS or "(" not in text:
        return []
    return [
        mention
        for probe in _PROBE.finditer(text)
        for mention in _find_names(text[: probe.end(2)], start=probe.start(2), count=2, is_node=probe[1] in "Vv")
    ]


def rewrite_mentions(device: Device, new_name: Callable[[Mention], str]) -> str:
    """The device's text with each name replaced by `new_name(mention)`."""
    pieces: list[str] = []
    end = 0
    for mention in find_mentions(device):
        pieces += [device.text[end : mention.start], new_name(mention)]
        end = mention.end
    return "".join(pieces) + device.text[end:]


def _find_names(text: str, *, start: int, count: int, is_node: bool) -> list[Mention]:
    return [Mention(m.start(), m.end(), m.group(), is_node) for m in islice(_NAME.finditer(text, start), count)]
