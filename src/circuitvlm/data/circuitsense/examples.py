"""Make the example of a raw question: check it, find its kind and facts, and find the key that decides its split."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from circuitvlm.circuit import dialect, netlist
from circuitvlm.circuit.graph import GROUND, Circuit
from circuitvlm.circuit.judge.equivalence import topology_key
from circuitvlm.circuit.solve.probe import Probe
from circuitvlm.core.record import Example, Picture
from circuitvlm.data._reading.files import UnusableError
from circuitvlm.data._reading.images import usable_image
from circuitvlm.data.circuitsense.kinds import find_facts
from circuitvlm.data.circuitsense.raw import QuestionRef, RawQuestion, check_texts
from circuitvlm.runtime.folders.identity import file_digest

_PROBE = re.compile(r"VI[0-9]+|V_?MEAS_?[0-9]+")


@dataclass(frozen=True, slots=True)
class Question:
    """An example with the key that decides its split, and whether its netlist is unreadable."""

    example: Example
    split_key: str
    image_hashes: tuple[str, ...]
    has_unread_netlist: bool


def load_question(ref: QuestionRef, *, cache: Path) -> Question:
    """Read the files of a question and make its example; `cache` is for PNG files of SVG images.

    The netlist of the example follows SPICE's conventions. Raises UnusableError.
    """
    raw = ref.load()
    check_texts(raw.question, answer=raw.choice if raw.options and raw.choice else raw.answer)
    paths = [usable_image(path, cache=cache) for path in raw.images]
    hashes = tuple(map(file_digest, raw.images))
    circuit = parse_circuit(raw.netlist)
    facts = find_facts(raw, circuit)
    if circuit is not None:
        facts.setdefault("netlist", netlist.format(circuit, renumber=False))
        if "output" in facts:
            # the formula is the voltage of a device, from the first to the second node of its line in the data set
            first, second = circuit.device(str(facts["output"])).nodes[:2]
            facts["probe"] = Probe("v", (first, second), source=str(facts["source"]).upper()).card
    if facts["kind"] == "netlist":
        if "netlist" not in facts:
            raise UnusableError("netlist that cannot be read", facts)
        facts["answer"] = facts["netlist"]
    texts = (raw.topology_netlist, raw.netlist, str(facts.get("netlist", "")))
    topology = next((key for text in texts if (key := topology_of(text))), "")
    tags = _tags(ref, raw, kind=str(facts["kind"]), topology=topology, hashes=hashes)
    return Question(
        Example(id=ref.id, images=tuple(map(Picture, paths)), facts=facts, tags=tags),
        split_key=topology or (f"image {hashes[0]}" if hashes else f"id {ref.id}"),
        image_hashes=hashes,
        has_unread_netlist=bool(raw.netlist.strip()) and circuit is None,
    )


@lru_cache(maxsize=4096)
def parse_circuit(text: str) -> Circuit | None:
    """The circuit of a netlist of the data set, in SPICE's conventions; None for an empty or unreadable text."""
    if not text.strip():
        return None
    try:
        return dialect.to_spice(netlist.parse(text))
    except netlist.NetlistError:
        return None


@lru_cache(maxsize=4096)
def topology_of(text: str) -> str:
    """The topology of a netlist without its current probes; empty if it cannot be read.

    Probes are sources of 0 V. They differ between questions, but the questions are about the same circuit.
    """
    circuit = parse_circuit(text)
    return "" if circuit is None else topology_key(remove_probes(circuit))


def remove_probes(circuit: Circuit) -> Circuit:
    """The circuit with the two nodes of each probe (`VI1`, `V_meas1`) joined; unchanged if it has only probes."""
    parents = {node: node for node in circuit.nodes}

    def find_root(node: str) -> str:
        while parents[node] != node:
            node = parents[node]
        return node

    devices = []
    for device in circuit.devices:
        if _PROBE.fullmatch(device.name) and not device.value and not device.text:
            first, second = (find_root(node) for node in device.nodes[:2])
            parents[first if second == GROUND else second] = second if second == GROUND else first
        else:
            devices.append(device)
    joined_devices = tuple(replace(device, nodes=tuple(map(find_root, device.nodes))) for device in devices)
    return replace(circuit, devices=joined_devices) if devices else circuit


def _tags(ref: QuestionRef, raw: RawQuestion, *, kind: str, topology: str, hashes: Sequence[str]) -> dict[str, str]:
    """Part, level (or `unstated`), kind, circuit (the same for all questions of an image), topology and category."""
    tags = {
        "part": ref.part,
        "level": raw.level or "unstated",
        "kind": kind,
        "circuit": raw.circuit or (f"image-{hashes[0][:12]}" if hashes else ref.id),
        "topology": topology,
        "category": raw.category,
    }
    return {name: value for name, value in tags.items() if value}
