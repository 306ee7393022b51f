"""Parse and format netlists."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from circuitvlm.circuit.graph import GROUND, Circuit, Device
from circuitvlm.circuit.netlist import detection
from circuitvlm.circuit.netlist.lexer import NetlistError, lex, split_words
from circuitvlm.circuit.netlist.reader import Reader
from circuitvlm.circuit.netlist.statement import is_ground, node_key
from circuitvlm.circuit.netlist.writer import device_line, find_text_names, node_numbers

_STAR_BULLET = re.compile(r"(?m)^[ \t]*\*[ \t]+")


def parse(text: str, *, flat: bool = True) -> Circuit:
    """The circuit that a SPICE-like text states.

    The text may be a flattened line, a deck with or without a title, or CircuitSense's dialect; it may lie in a code
    block. The syntaxes of CDL and Spectre are read as well. Words before the first device are the title.

    Dot cards, .control blocks and comments are skipped, and nothing is executed or included. A call of a subcircuit is
    replaced by the devices of its definition. With `flat` false, calls remain devices and definitions are skipped. A
    text of definitions alone is always flat: its circuit is the definitions that no other calls. Names of .param are
    replaced by their values; arithmetic stays text.

    Names become upper case. Nodes keep their first spelling, compared without case; gnd and 0 are ground. Values that
    are no numbers stay in `Device.text`. Raises NetlistError, and nothing else, for a text that is no netlist.
    """
    reader = Reader(lex(text))
    devices = reader.read(flat=flat)
    if not devices and "*" in text:  # a list with stars as bullets, which open comments in SPICE
        reader = Reader(lex(_STAR_BULLET.sub("", text)))
        devices = reader.read(flat=flat)
    if not devices:
        raise reader.no_device_error()
    circuit = _make_circuit(devices, reader)
    if not reader.is_deck:
        _refuse_ambiguous(circuit, line_numbers=reader.line_numbers)
    return circuit


def parse_deck(text: str, *, flat: bool = True) -> Circuit:
    """The circuit of a netlist file: every line is a device, a card, a comment, or an error with its number.

    The first line is the title, as in SPICE, unless it is a comment or a card, or the text is a fragment. A fragment
    has no .end, and its first line states a device. So `Lowpass filter 1 10k`, `V1 1 0 5`, `R1 1 0 1k`, `.end` in four
    lines has one title and two devices, and `V1 1 0 5`, `R1 1 0 1k` in two lines has two devices.

    All else is as in `parse`. What is not read stands in `Circuit.remarks`. Raises NetlistError.
    """
    reader = Reader(lex(text, is_file=True), is_file=True)
    devices = reader.read(flat=flat)
    if not devices:
        raise reader.no_device_error()
    return _make_circuit(devices, reader)


def format(circuit: Circuit, renumber: bool = True) -> str:
    """One device per line in the circuit's order, `NAME n1 n2 VALUE`, without title and final newline.

    With `renumber` the nodes are 1, 2, .. by first appearance and ground is 0. Otherwise they keep their names, unless
    `parse` would then read another circuit (a first line that could be a title).
    Sources with a phasor are written as `V1 1 0 DC_VALUE AC magnitude [degrees]`. `format(parse(s))` is a fixed point
    for every s that it has returned. Raises NetlistError for a device that no line can state.
    """
    if not renumber:
        names = {node: node for node in circuit.nodes}
        text = "\n".join(device_line(device, names=names) for device in circuit.devices)
        if _reads_as(text, circuit):
            return text
    names = node_numbers(circuit)
    text_names = find_text_names(circuit, names=names)
    return "\n".join(device_line(device, names=names, text_names=text_names) for device in circuit.devices)


def _make_circuit(devices: Sequence[Device], reader: Reader) -> Circuit:
    return Circuit(_unify_nodes(devices, wires=reader.wires), title=reader.title, remarks=tuple(reader.remarks))


def _unify_nodes(devices: Sequence[Device], *, wires: Sequence[tuple[str, str]]) -> tuple[Device, ...]:
    """The devices with one spelling for each node, the first in the text, and `0` for ground.

    Nodes that `wires` connect are one node.
    """
    spellings: dict[str, str] = {}
    joined: dict[str, str] = {}  # the key of a node -> that of a node to which a wire leads

    def key_of(node: str) -> str:
        key = root = GROUND if is_ground(node) else node.casefold() if node.isascii() else node
        while root in joined:
            root = joined[root]
        while key != root:  # so that a long chain of wires is followed once
            joined[key], key = root, joined[key]
        return root

    for first, second in wires:
        one, other = sorted((key_of(first), key_of(second)), key=lambda key: key != GROUND)
        if one != other:
            joined[other] = one

    def unify(node: str) -> str:
        key = key_of(node)
        return spellings.setdefault(key, GROUND if key == GROUND else node)

    return tuple(replace(device, nodes=tuple(map(unify, device.nodes))) for device in devices)


def _refuse_ambiguous(circuit: Circuit, *, line_numbers: Mapping[str, int]) -> None:
    """Raise NetlistError where the line of a device would be read as two devices, because its text holds another."""
    numbers = node_numbers(circuit)
    known_nodes = {*map(node_key, circuit.nodes), *numbers.values()}
    worded_devices = [d for d in circuit.devices if " " in d.text or (d.text and d.kind == "X")]
    for names in (numbers, {node: node for node in circuit.nodes}):
        text_names = find_text_names(circuit, names=names)
        for device in worded_devices:
            tokens = split_words(device_line(device, names=names, text_names=text_names))
            is_device = detection.is_device(tokens) or detection.has_known_nodes(
                tokens, known_nodes=known_nodes, needs_all=False
            )
            if not is_device or detection.find_end(tokens, 0, known_nodes=known_nodes) < len(tokens):
                raise NetlistError(
                    f"{device.name}: expected one device, got the text {device.text[:40]!r}, which may be another one",
                    line=line_numbers.get(device.name),
                )


def _reads_as(text: str, circuit: Circuit) -> bool:
    """Whether the text is read as the circuit, except for digits of values that are not written."""
    try:
        devices = parse(text).devices
    except NetlistError:
        return False
    return [(d.name, d.nodes, d.text) for d in devices] == [(d.name, d.nodes, d.text) for d in circuit.devices]
