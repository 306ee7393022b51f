"""How are circuits of our own written in CircuitSense's layouts? As its generator writes them, file by file."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from circuitvlm.circuit import netlist
from circuitvlm.circuit.dialect import is_lcapy, to_spice
from circuitvlm.circuit.graph import Circuit, Device
from circuitvlm.data.circuitsense.kinds import probe_named
from circuitvlm.data.circuitsense.records import EQUATIONS, LABELS, QUESTIONS

_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,99}")
_ASKED = {"i": ("current", "A"), "v": ("voltage", "V")}


@dataclass(frozen=True, slots=True)
class Measurement:
    """One measured quantity: the command (`i(VI1)`, `v(5,7)`), its name in the picture, and its value in V or A."""

    probe: str
    name: str
    value: float


@dataclass(frozen=True, slots=True)
class Written:
    """A circuit in SPICE's convention, its PNG, transfer functions as {"V1_to_C1": formula}, and measurements."""

    id: str
    circuit: Circuit
    image: bytes
    transfer_functions: Mapping[str, str] = field(default_factory=dict)
    measurements: Sequence[Measurement] = ()


def write(folder: Path, items: Iterable[Written]) -> None:
    """Writes labels.json, `<id>.png`, symbolic_equations.json and circuit_qa_dataset.json into a folder.

    The keys are those of CircuitSense's generator (github.com/armanakbari/CircuitSense, scripts/). A circuit with a
    source that states no number is written in lcapy's dialect, as symbolic items are. Raises ValueError for an id that
    is no file name or comes twice, a probe that is none, and a circuit that would read as another.
    """
    labels: dict[str, str] = {}
    results: list[dict[str, Any]] = []
    questions: list[dict[str, Any]] = []
    folder.mkdir(parents=True, exist_ok=True)
    for item in items:
        if not _ID.fullmatch(item.id) or item.id in labels:
            raise ValueError(f"id {item.id!r}: wanted a file name of letters, digits and ._- that comes once")
        plain = _stated(item.circuit)
        labels[item.id] = _deck(plain, item.measurements)
        if item.transfer_functions:
            results.append(_result(item, plain))
        questions += _questions(item, plain)
        (folder / f"{item.id}.png").write_bytes(item.image)
    summary = {"total_circuits": len(results), "successful": len(results), "skipped": 0, "failed": 0}
    asked = len({row["circuit_id"] for row in questions})
    metadata = {"total_circuits": asked, "total_questions": len(questions)}
    _save(folder / LABELS, labels)
    _save(folder / EQUATIONS, {"summary": summary, "results": results})
    _save(folder / QUESTIONS, {"metadata": metadata, "questions": questions})


def _stated(circuit: Circuit) -> str:
    """The netlist whose reading is the circuit. Raises ValueError where there is none."""
    if is_lcapy(circuit):
        raise ValueError("the circuit is in lcapy's dialect; wanted it in SPICE's convention: circuit.dialect.to_spice")
    symbolic = any(map(_is_shaped, circuit.devices))
    meant = replace(circuit, devices=tuple(map(_named, circuit.devices))) if symbolic else circuit
    spoken = replace(meant, devices=tuple(map(_in_lcapy, meant.devices))) if symbolic else meant
    text = netlist.format(spoken, renumber=False)
    if to_spice(netlist.parse(text)).devices != meant.devices:
        raise ValueError(f"the circuit would read as another: {netlist.format(circuit, renumber=False)[:200]!r}")
    return text


def _named(device: Device) -> Device:
    """A source that states nothing has its name as symbol."""
    return replace(device, text=device.name) if _is_shaped(device) and not device.text else device


def _is_shaped(device: Device) -> bool:
    return device.kind in "VI" and device.value is None and device.ac is None


def _in_lcapy(device: Device) -> Device:
    """The device as lcapy states it: see circuit.dialect for the way back."""
    if device.kind in "GFI":
        device = replace(device, nodes=(device.nodes[1], device.nodes[0], *device.nodes[2:]))
    if not _is_shaped(device):
        return device
    return replace(device, text="step" if device.text == device.name else f"step {device.text}")


def _deck(plain: str, measurements: Sequence[Measurement]) -> str:
    """The netlist with the commands that measure, in the generator's words."""
    if not measurements:
        return f"{plain}\n.end"
    commands = [f"print {_probe(one)} ; measurement of {one.name}" for one in measurements]
    return "\n".join([plain, ".control", "op", *commands, ".endc", ".end"])


def _probe(one: Measurement) -> str:
    probe = probe_named(one.probe)
    if not probe or not re.fullmatch(r"\w{1,40}", one.name) or not math.isfinite(one.value):
        raise ValueError(f"{one}: wanted a probe such as i(VI1) or v(5,7), a name such as I1, and a finite value")
    return probe


def _result(item: Written, plain: str) -> dict[str, Any]:
    devices = item.circuit.devices
    sources = [[d.name, list(d.nodes)] for d in devices if d.kind == "V"]
    return {
        "circuit_id": item.id,
        "cleaned_netlist": plain,
        "voltage_sources": sources,
        "components": [d.name for d in devices if d.kind != "V"],
        "transfer_functions": dict(item.transfer_functions),
        "nodal_equations": {"t_domain": "", "s_domain": ""},
        "complexity_metrics": _complexity(item.circuit),
    }


def _complexity(circuit: Circuit) -> dict[str, int]:
    """The generator's own measure: a component counts 1, a capacitor or an inductor 3, an op-amp (E) 4."""
    count = {kind: sum(d.kind == kind for d in circuit.devices) for kind in "CLE"}
    total = len(circuit.devices)
    return {
        "num_components": total,
        "num_capacitors": count["C"],
        "num_inductors": count["L"],
        "num_opamps": count["E"],
        "num_nodes": sum(node != "0" for node in circuit.nodes),
        "complexity_score": total + 2 * count["C"] + 2 * count["L"] + 3 * count["E"],
    }


def _questions(item: Written, plain: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for number, one in enumerate(item.measurements, start=1):
        probe = _probe(one)
        quantity, unit = _ASKED[probe[0]]
        rows.append(
            {
                "question_id": f"{item.id}_q{number}",
                "circuit_id": item.id,
                "question": f"What is the {quantity} {one.name} in this circuit?",
                "measurement_command": probe,
                "measurement_variable": one.name,
                "measurement_type": quantity,
                "unit": unit,
                "answer": one.value + 0.0,  # no minus before a zero
                "answer_formatted": f"{one.value + 0.0:.6g} {unit}",
                "has_answer": True,
                "circuit_netlist": plain,
                "original_netlist": _deck(plain, item.measurements),
            }
        )
    return rows


def _save(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
