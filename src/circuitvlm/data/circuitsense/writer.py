"""Write circuits in CircuitSense's layouts, file by file as its generator does."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from circuitvlm.circuit import netlist
from circuitvlm.circuit.dialect import REVERSED_KINDS, is_lcapy, to_spice
from circuitvlm.circuit.graph import Circuit, Device
from circuitvlm.data.circuitsense.generator_files import EQUATIONS, LABELS, QUESTIONS
from circuitvlm.data.circuitsense.kinds import normalize_probe

_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,99}")
_QUANTITIES = {"i": ("current", "A"), "v": ("voltage", "V")}


@dataclass(frozen=True, slots=True)
class Measurement:
    """A measured quantity: the command (`i(VI1)`, `v(5,7)`), its name in the picture, and its value in V or A."""

    probe: str
    name: str
    value: float


@dataclass(frozen=True, slots=True)
class CircuitItem:
    """A circuit in SPICE's conventions, its PNG, transfer functions as {"V1_to_C1": formula}, and measurements."""

    id: str
    circuit: Circuit
    image: bytes
    transfer_functions: Mapping[str, str] = field(default_factory=dict)
    measurements: Sequence[Measurement] = ()


def write(folder: Path, items: Iterable[CircuitItem]) -> None:
    """Write labels.json, `<id>.png`, symbolic_equations.json and circuit_qa_dataset.json into a folder.

    The keys are those of CircuitSense's generator (github.com/armanakbari/CircuitSense, scripts/). A circuit with a
    source without a number is written in lcapy's dialect, like the benchmark's symbolic items. Raises ValueError for
    an id that is not a file name or not unique, for an invalid measurement, and for a circuit that would change when
    it is read again.
    """
    labels: dict[str, str] = {}
    results: list[dict[str, Any]] = []
    questions: list[dict[str, Any]] = []
    folder.mkdir(parents=True, exist_ok=True)
    for item in items:
        if not _ID.fullmatch(item.id) or item.id in labels:
            raise ValueError(f"id: expected a unique file name of letters, digits and ._-, got {item.id!r}")
        text = _format(item.circuit)
        labels[item.id] = _add_commands(text, item.measurements)
        if item.transfer_functions:
            results.append(_result(item, text))
        questions += _questions(item, text)
        (folder / f"{item.id}.png").write_bytes(item.image)
    summary = {"total_circuits": len(results), "successful": len(results), "skipped": 0, "failed": 0}
    metadata = {"total_circuits": len({row["circuit_id"] for row in questions}), "total_questions": len(questions)}
    _write_json(folder / LABELS, labels)
    _write_json(folder / EQUATIONS, {"summary": summary, "results": results})
    _write_json(folder / QUESTIONS, {"metadata": metadata, "questions": questions})


def _format(circuit: Circuit) -> str:
    """The netlist from which the circuit is read again. Raises ValueError if there is none."""
    if is_lcapy(circuit):
        text = netlist.format(circuit, renumber=False)
        raise ValueError(f"circuit: expected SPICE's conventions (see dialect.to_spice), got lcapy's: {text!r:.200}")
    written_circuit = circuit
    if any(map(_is_symbolic_source, circuit.devices)):
        circuit = replace(circuit, devices=tuple(map(_add_symbol, circuit.devices)))
        written_circuit = replace(circuit, devices=tuple(map(_to_lcapy, circuit.devices)))
    text = netlist.format(written_circuit, renumber=False)
    if to_spice(netlist.parse(text)).devices != circuit.devices:
        raise ValueError(f"circuit: expected one that is the same after writing and reading, got {text!r:.200}")
    return text


def _is_symbolic_source(device: Device) -> bool:
    return device.kind in "VI" and device.value is None and device.ac is None


def _add_symbol(device: Device) -> Device:
    """A symbolic source without a symbol gets its name as the symbol."""
    return replace(device, text=device.name) if _is_symbolic_source(device) and not device.text else device


def _to_lcapy(device: Device) -> Device:
    """The device in lcapy's dialect, the inverse of `circuit.dialect.to_spice`."""
    if device.kind in REVERSED_KINDS:
        device = replace(device, nodes=(device.nodes[1], device.nodes[0], *device.nodes[2:]))
    if not _is_symbolic_source(device):
        return device
    return replace(device, text="step" if device.text == device.name else f"step {device.text}")


def _add_commands(text: str, measurements: Sequence[Measurement]) -> str:
    """The netlist with the commands of the measurements, in the generator's format."""
    if not measurements:
        return f"{text}\n.end"
    commands = [f"print {_normalize(m)} ; measurement of {m.name}" for m in measurements]
    return "\n".join([text, ".control", "op", *commands, ".endc", ".end"])


def _normalize(measurement: Measurement) -> str:
    """The command in its normal form. Raises ValueError for an invalid command, name or value."""
    probe = normalize_probe(measurement.probe)
    if not probe or not re.fullmatch(r"\w{1,40}", measurement.name) or not math.isfinite(measurement.value):
        raise ValueError(
            f"measurement: expected a probe such as i(VI1) or v(5,7), a name such as I1, and a finite value, got "
            f"{measurement}"
        )
    return probe


def _result(item: CircuitItem, text: str) -> dict[str, Any]:
    """The entry of symbolic_equations.json."""
    devices = item.circuit.devices
    return {
        "circuit_id": item.id,
        "cleaned_netlist": text,
        "voltage_sources": [[d.name, list(d.nodes)] for d in devices if d.kind == "V"],
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


def _questions(item: CircuitItem, text: str) -> list[dict[str, Any]]:
    """The entries of circuit_qa_dataset.json."""
    rows: list[dict[str, Any]] = []
    for number, measurement in enumerate(item.measurements, start=1):
        probe = _normalize(measurement)
        quantity, unit = _QUANTITIES[probe[0]]
        value = measurement.value + 0.0  # removes the minus sign of a zero
        rows.append(
            {
                "question_id": f"{item.id}_q{number}",
                "circuit_id": item.id,
                "question": f"What is the {quantity} {measurement.name} in this circuit?",
                "measurement_command": probe,
                "measurement_variable": measurement.name,
                "measurement_type": quantity,
                "unit": unit,
                "answer": value,
                "answer_formatted": f"{value:.6g} {unit}",
                "has_answer": True,
                "circuit_netlist": text,
                "original_netlist": _add_commands(text, item.measurements),
            }
        )
    return rows


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
