"""Detect where devices begin and end among the words of a line."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise

from circuitvlm.circuit.graph import LINEAR_KINDS, PIN_NAMES
from circuitvlm.circuit.netlist.statement import (
    count_nodes,
    has_digit,
    is_card,
    is_index,
    is_node_name,
    kind_of,
    node_key,
)
from circuitvlm.circuit.netlist.value import is_number

SURE = 2
"""The highest value of `confidence`."""

_SHORT_NAME = re.compile(r"[A-Za-z][0-9]{1,4}:?")
_SYMBOLIC = re.compile(
    r"<.*>|\{.*\}|[A-Za-z]+\(.*\)|step|opamp|(value|val|res|cap|ind|dc|ac|[rcl])=.*|dc|ac", re.I | re.S
)
_SYMBOL = re.compile(r"[A-Za-z]\w{0,9}")
_POLY = re.compile(r"poly\(([0-9]{1,3})\)", re.I)
_MAX_PLAIN_NAME = 5
"""The letters of the longest name, such as Rload, that has no digit and is no word of a title."""

_MODEL_KINDS = frozenset("DQMJ")
_TWO_PIN_KINDS = frozenset("RLCVI")


@dataclass(frozen=True, slots=True)
class _Candidate:
    """Words that may state a device."""

    name: str
    kind: str
    nodes: Sequence[str]
    value_words: Sequence[str]
    """At most two words after the nodes."""

    @property
    def has_value(self) -> bool:
        """Whether a value or a model follows the nodes."""
        if not self.value_words or is_card(self.value_words[0]):
            return False
        word = self.value_words[0]
        if self.kind in "RCLVIEG":
            return (
                self._has_symbol
                or is_number(word)
                or word.lower() == self.name.lower()
                or _SYMBOLIC.fullmatch(word) is not None
            )
        if self.kind in "FH":
            return kind_of(word) in ("V", "R", "L") and is_number("".join(self.value_words[1:]))
        return "=" in word if self.kind == "B" else not is_index(word) and word[0] != "="

    @property
    def _has_symbol(self) -> bool:
        """Whether one word stands between numbered nodes and the end or the next name: `R1 1 2 A R2 2 3 B`."""
        symbol, *next_words = self.value_words
        ends = not next_words or _SHORT_NAME.fullmatch(next_words[0]) is not None
        is_name = _SYMBOL.fullmatch(symbol) is not None and has_digit(self.name)
        return is_name and ends and all(map(is_index, self.nodes))

    @property
    def has_index(self) -> bool:
        """Whether a node is a number or ground."""
        return any(map(is_index, self.nodes))


def _find_candidate(tokens: Sequence[str], start: int = 0) -> _Candidate | None:
    """The device that may begin at `start`; None where the name fits no kind or its nodes cannot be nodes."""
    kind = kind_of(tokens[start])
    if not kind:
        return None
    words = tokens[start + 1 : start + 12]
    if kind == "X" and words and is_index(words[0]):
        # A call's nodes may be many; the first word after numbered nodes is the subcircuit.
        end = next((i for i in range(start + 1, len(tokens)) if not is_index(tokens[i])), len(tokens))
        words = tokens[start + 1 : end + 1]
    end = start + 1 + (3 if kind in "QM" else count_nodes(kind, words))
    nodes = tokens[start + 1 : end]
    if kind == "E" and len(words) > 4 and words[2].lower() == "opamp":  # lcapy's E1 3 0 opamp 1 2 [Ad]
        nodes, end = [*words[:2], *words[3:5]], start + 3
    is_complete = end <= len(tokens) and (kind != "X" or len(nodes) > 0)
    are_nodes = all(is_node_name(node) and not is_card(node) for node in nodes)
    return _Candidate(tokens[start], kind, nodes, tokens[end : end + 2]) if is_complete and are_nodes else None


def _are_coils(words: Sequence[str]) -> bool:
    return len(words) > 1 and all(word[0] in "Ll" and has_digit(word) for word in words[:2])


def confidence(tokens: Sequence[str], start: int = 0) -> int:
    """How surely a device begins at `start`, by the words after it alone: 0 (not), 1 (perhaps) or SURE.

    SURE needs nodes that are all numbers or ground, and a value or model; 1 needs a name with a digit and a value.
    """
    device = _find_candidate(tokens, start)
    if device and device.kind == "K":
        return SURE if has_digit(device.name) and _are_coils(tokens[start + 1 : start + 4]) else 0
    if not device or not device.has_value:
        return 0
    if all(map(is_index, device.nodes)):
        return SURE
    if not has_digit(device.name):
        return int(len(device.name) < 6 and device.has_index and device.kind in _TWO_PIN_KINDS)
    return int(device.has_index or device.kind in LINEAR_KINDS)


def starts_device(tokens: Sequence[str], start: int) -> bool:
    """Whether a device begins at `start` in the middle of a line."""
    value = confidence(tokens, start)
    if value != 1:
        return value == SURE
    # In `ladder V1 1 0 5` the device V1 is sure, so that LADDER is none with the nodes V1 and 1.
    span = len(PIN_NAMES[kind_of(tokens[start])]) + 1
    return all(confidence(tokens, i) < SURE for i in range(start + 1, min(start + 1 + span, len(tokens))))


def is_device(tokens: Sequence[str]) -> bool:
    """Whether a line after the title states a device."""
    device = _find_candidate(tokens)
    if device is None:
        return False
    if device.kind == "K":
        coils, has_number = tokens[1:3], any(map(is_number, tokens[3:5]))
        return (has_digit(device.name) and _are_coils(coils)) or (has_number and all(w[0] in "Ll" for w in coils))
    is_plain = has_digit(device.name) or all(map(is_index, device.nodes))
    return is_plain or (device.has_value and (device.kind in LINEAR_KINDS or device.has_index))


def is_device_not_title(tokens: Sequence[str], *, next_words: Collection[str]) -> bool:
    """Whether the first line states a device and is no title. `next_words` are the words of the lines after it."""
    device = _find_candidate(tokens)
    if device is None or not is_device(tokens):
        return False
    if device.kind == "K" or all(map(is_index, device.nodes)):
        return True
    are_known = [is_node(node, known_nodes=next_words) for node in device.nodes]
    if next_words and not any(are_known):
        return False  # R-2R ladder DAC 4 bit
    if device.name.isalpha() and len(device.name) > _MAX_PLAIN_NAME and not all(are_known):
        return False  # Lowpass filter 1 10k
    if starts_device(tokens, 0):
        return True
    has_device = any(confidence(tokens, i) == SURE for i in range(1, min(len(device.nodes) + 2, len(tokens))))
    is_likely = (device.has_index and device.has_value) or any(node.lower() in next_words for node in device.nodes)
    return is_likely and not has_device


def is_malformed_device(tokens: Sequence[str]) -> bool:
    """Whether a line that states no device was probably intended as one (`R1 1`, `U1 1 2 3`), and is no title."""
    has_node = _SHORT_NAME.fullmatch(tokens[0]) is not None and len(tokens) > 1 and is_index(tokens[1])
    return has_node and (kind_of(tokens[0]) != "" or (len(tokens) > 2 and is_index(tokens[2])))


def node_words(tokens: Sequence[str]) -> Sequence[str]:
    """The words of a line at the places of nodes; none where the line cannot be a device."""
    device = _find_candidate(tokens)
    return device.nodes if device else ()


def is_node(word: str, *, known_nodes: Collection[str]) -> bool:
    """Whether the word is a number, ground or a known node (in lower case)."""
    return is_index(word) or word.lower() in known_nodes


def has_known_nodes(tokens: Sequence[str], *, known_nodes: Collection[str], needs_all: bool) -> bool:
    """Whether a line is a device by its nodes (`Mp out in vdd vdd PMOS`): two of them, or all, are known."""
    flags = [is_node(word, known_nodes=known_nodes) for word in node_words(tokens)]
    return sum(flags) > 1 and (all(flags) or not needs_all)


def find_end(tokens: Sequence[str], start: int, *, known_nodes: Collection[str]) -> int:
    """Where the statement that begins at `start` ends: before a dot card or the next device on the same line.

    `known_nodes` holds keys of nodes. They show a device that its form alone does not show: one whose name has no digit
    (`Vs in 0 5 Rs in out 50`), or one with a model.
    """
    own_nodes = frozenset(map(node_key, node_words(tokens[start : start + 6])))
    kind = kind_of(tokens[start])
    first_end = start + 1 + {"X": 2, "K": 2, "M": 3, "E": 2, "G": 2}.get(kind, len(PIN_NAMES[kind])) + (kind in "FHW")
    if kind in "EGFH" and start + 3 < len(tokens) and (poly := _POLY.fullmatch(tokens[start + 3])):
        first_end = start + 4 + int(poly[1]) * (2 if kind in "EG" else 1)  # after the inputs, which are no devices
    # A call that ends in `w=1u l=2u`, with no other word between: a node d1 of it begins no diode.
    needs_sure = (kind == "X" and "=" in tokens[-1]) and all("=" in b for a, b in pairwise(tokens[start:]) if "=" in a)
    for end in range(start + 1, len(tokens)):
        is_start = (end >= first_end and tokens[end][0].upper() in PIN_NAMES) and (
            confidence(tokens, end) == SURE
            if needs_sure
            else starts_device(tokens, end)
            or starts_by_nodes(tokens, end, known_nodes=known_nodes, own_nodes=own_nodes)
        )
        if is_start or is_card(tokens[end]):
            return end
    return len(tokens)


def starts_by_nodes(
    tokens: Sequence[str], start: int, *, known_nodes: Collection[str], own_nodes: Collection[str] = ()
) -> bool:
    """Whether a device begins here by its nodes, which differ and include a known node or one of `own_nodes`.

    A value or a model follows. The name of a two-pin device has no digit here, that of a device with a model has one.
    Nodes are compared by their keys.
    """
    name, kind = tokens[start], kind_of(tokens[start])
    if kind not in _MODEL_KINDS | _TWO_PIN_KINDS or has_digit(name) != (kind in _MODEL_KINDS) or not 1 < len(name) < 7:
        return False
    device = _find_candidate(tokens, start)
    if device is None or not device.has_value:
        return False
    if start + 2 < len(tokens) and confidence(tokens, start + 1) == SURE:
        return False  # a symbol for a value: `V1 1 0 Vin R1 1 2 5`
    keys = set(map(node_key, device.nodes))
    is_known = any(key in known_nodes or key in own_nodes for key in keys)
    has_value_as_node = any(is_number(node) and not is_index(node) for node in device.nodes)
    return is_known and len(keys) > 1 and not has_value_as_node and node_key(name) not in known_nodes
