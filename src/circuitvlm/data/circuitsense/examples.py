"""How does a draft become an example? Checked, with its kind, its circuit in SPICE's convention, and its key."""

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
from circuitvlm.data._reading import images
from circuitvlm.data._reading.files import UnusableError
from circuitvlm.data.circuitsense import kinds
from circuitvlm.data.circuitsense.draft import Draft, Found, checked

_PROBE = re.compile(r"VI[0-9]+|V_?MEAS_?[0-9]+")


@dataclass(frozen=True, slots=True)
class Read:
    """An example, the key that decides its split, its images' hashes, and whether its netlist cannot be read."""

    example: Example
    key: str
    images: tuple[str, ...]
    unread: bool


def read(found: Found, *, cache: Path) -> Read:
    """The example that a found question gives. Raises UnusableError."""
    draft = found.read()
    multiple = bool(draft.options and draft.choice)
    checked(draft.question, answer=draft.choice if multiple else draft.answer)
    paths = [images.usable(path, cache=cache) for path in draft.images]
    hashes = tuple(images.digest(path) for path in draft.images)
    circuit = circuit_of(draft.netlist)
    facts = kinds.facts_of(draft, circuit)
    if circuit is not None:
        facts.setdefault("netlist", netlist.format(circuit, renumber=False))
        if "output" in facts:
            facts["probe"] = _transfer(circuit, source=str(facts["source"]), output=str(facts["output"])).card
    if facts["kind"] == "netlist":
        if "netlist" not in facts:
            raise UnusableError("netlist that cannot be read")
        facts["answer"] = facts["netlist"]
    topology = _topology(draft, stated=facts.get("netlist"))
    key = topology or (f"image {hashes[0]}" if hashes else f"id {found.id}")
    return Read(
        Example(
            id=found.id,
            images=tuple(map(Picture, paths)),
            facts=facts,
            tags=_tags(found, draft, kind=str(facts["kind"]), topology=topology, hashes=hashes),
        ),
        key=key,
        images=hashes,
        unread=bool(draft.netlist.strip()) and circuit is None,
    )


def _transfer(circuit: Circuit, *, source: str, output: str) -> Probe:
    """The transfer function to a device's voltage, from the first node that its line in the data set names."""
    first, second = circuit.device(output).nodes[:2]
    return Probe("v", (first, second), source=source.upper())


@lru_cache(maxsize=4096)
def circuit_of(text: str) -> Circuit | None:
    """The circuit of a netlist as the data set writes it, in SPICE's convention; None where there is none to read."""
    if not text.strip():
        return None
    try:
        return dialect.to_spice(netlist.parse(text))
    except netlist.NetlistError:
        return None


@lru_cache(maxsize=4096)
def key_of(text: str) -> str:
    """The topology of a netlist without its current probes; empty where it cannot be read.

    Probes are sources of 0 V. They change with what is asked, and a circuit is the same whatever is asked of it.
    """
    circuit = circuit_of(text)
    return "" if circuit is None else topology_key(without_probes(circuit))


def without_probes(circuit: Circuit) -> Circuit:
    """The circuit with the nodes of each probe (`VI1`, `V_meas1`) joined; itself where nothing else is left."""
    name = {node: node for node in circuit.nodes}

    def joined(node: str) -> str:
        while name[node] != node:
            node = name[node]
        return node

    rest = []
    for device in circuit.devices:
        if _PROBE.fullmatch(device.name) and not device.value and not device.text:
            first, second = (joined(node) for node in device.nodes[:2])
            name[first if second == GROUND else second] = second if second == GROUND else first
        else:
            rest.append(device)
    devices = tuple(replace(device, nodes=tuple(map(joined, device.nodes))) for device in rest)
    return replace(circuit, devices=devices) if devices else circuit


def _topology(draft: Draft, *, stated: object) -> str:
    """By the text that tells the circuit from others, else by the question's own netlist, else by its answer."""
    texts = (draft.likeness, draft.netlist, stated if isinstance(stated, str) else "")
    return next((key for text in texts if text and (key := key_of(text))), "")


def _tags(found: Found, draft: Draft, *, kind: str, topology: str, hashes: Sequence[str]) -> dict[str, str]:
    """Part, kind, level (`unstated` where nothing says it) and circuit, which is one for all questions of an image."""
    tags = {
        "part": found.part,
        "level": draft.level or "unstated",
        "kind": kind,
        "circuit": draft.circuit or (f"image-{hashes[0][:12]}" if hashes else found.id),
    }
    if topology:
        tags["topology"] = topology
    if draft.category:
        tags["category"] = draft.category
    return tags
