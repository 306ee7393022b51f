"""Choose the devices of a circuit on a grid and their names, and check that each of them carries a current."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from circuitvlm.circuit.graph import Circuit, Device
from circuitvlm.circuit.placement import Mark
from circuitvlm.circuit.solve.numeric import SingularCircuitError, solve

CONTROLLED_SHARE = 0.5
"""Share of plans with a controlled source. They are harder to solve, so about a third of the items have one."""

PROBE_SHARE = 0.2
"""Share of numeric circuits with a current probe that controls nothing, for questions about its current."""

FREQUENCY_HZ = 1000.0
MAX_VALUE = 1e6
"""Largest voltage of a node, in volts."""

_ZERO_SHARE = 1e-6
"""Share of the largest voltage or current, below which a voltage or current counts as zero."""

_EXPONENTS = {"C": (-6, -9), "L": (-3, -6)}


@dataclass(frozen=True, slots=True)
class Part:
    """A device before it has nodes.

    `number` is its position in the plan. `host` is the number of the part whose edge it shares, and `controller` the
    number of the part that controls it; they are -1 where there is none. `control` is the name of the voltage or
    current that controls it, `controller_name` the name of the device with this voltage or current.
    """

    number: int
    kind: str
    is_probe: bool = False
    host: int = -1
    controller: int = -1
    name: str = ""
    control: str = ""
    controller_name: str = ""
    gain: str = ""

    @property
    def has_host(self) -> bool:
        """Whether it stands on the edge of another part."""
        return self.host >= 0


def plan_parts(rng: np.random.Generator, *, count: int, kinds: str, is_symbolic: bool) -> tuple[Part, ...]:
    """The kinds of `count` devices, and which device controls which."""
    passive = [kind for kind in "RCL" if kind in kinds]
    if len(passive) > 1 and "R" in passive and rng.random() < 0.4:
        passive = ["R"]
    independent = _independent_sources(rng, count=count, kinds=kinds, is_symbolic=is_symbolic)
    controlled_kinds = _controlled_sources(rng, room=count - len(independent) - 1, kinds=kinds)
    probe_count = sum(kind in "FH" for kind in controlled_kinds)
    passive_count = count - len(independent) - len(controlled_kinds) - probe_count
    if not is_symbolic and "V" in kinds and passive_count > 2 and rng.random() < PROBE_SHARE:
        probe_count, passive_count = probe_count + 1, passive_count - 1
    weights = np.array([2.0 if kind == "R" else 1.0 for kind in passive])  # resistors are twice as frequent
    passive_parts = rng.choice(passive, size=passive_count, p=weights / weights.sum())
    parts = [Part(number=i, kind=kind) for i, kind in enumerate([*independent, *map(str, passive_parts)])]
    hosts = [part.number for part in parts if part.kind in "RCLV"]
    controllers = [part.number for part in parts if part.kind in "RCL"]
    rng.shuffle(hosts)
    rng.shuffle(controllers)
    probes = list(range(len(parts), len(parts) + probe_count))
    for number in probes:
        host = hosts.pop() if hosts and rng.random() < 0.5 else -1
        parts.append(Part(number=number, kind="V", is_probe=True, host=host))
    for kind in controlled_kinds:
        controller = probes.pop() if kind in "FH" else controllers.pop()
        parts.append(Part(number=len(parts), kind=kind, controller=controller))
    return tuple(parts)


def _independent_sources(rng: np.random.Generator, *, count: int, kinds: str, is_symbolic: bool) -> list[str]:
    """The kinds of one or two independent sources; the first of a symbolic circuit is a V."""
    source_kinds = [kind for kind in "VI" if kind in kinds]
    number = 2 if count > 3 and rng.random() < 0.25 else 1
    weights = None if len(source_kinds) == 1 else [0.75, 0.25]
    sources = [str(rng.choice(source_kinds, p=weights)) for _ in range(number)]
    return ["V", *sources[1:]] if is_symbolic else sources


def _controlled_sources(rng: np.random.Generator, *, room: int, kinds: str) -> list[str]:
    """The kinds of the controlled sources; each needs its own probe or passive part."""
    source_kinds = [kind for kind in "EGFH" if kind in kinds]
    if not source_kinds or room < 2 or rng.random() > CONTROLLED_SHARE:
        return []
    number = 2 if room > 4 and rng.random() < 0.2 else 1
    return list(map(str, rng.choice(source_kinds, size=number)))


def name_parts(rng: np.random.Generator, parts: Sequence[Part], *, shuffle: bool) -> list[Part]:
    """The parts with names numbered by kind, in the given order or shuffled, with gains and names of their controls."""
    probes = [part for part in parts if part.is_probe]
    names = {part.number: f"VI{i}" for i, part in enumerate(probes, start=1)}
    for kind in sorted({part.kind for part in parts}):
        numbers = [part.number for part in parts if part.kind == kind and not part.is_probe]
        first = 1 + (len(probes) if kind == "I" else 0)  # I_1 is the current of VI1
        order = rng.permutation(len(numbers)) if shuffle else range(len(numbers))
        names.update({number: f"{kind}{first + int(i)}" for number, i in zip(numbers, order, strict=True)})
    voltages = (f"V{i}" for i in range(len(parts) + 10) if f"V{i}" not in names.values())
    gain_numbers = {letter: itertools.count(1) for letter in "xy"}
    named_parts = [replace(part, name=names[part.number]) for part in parts]
    for i, part in enumerate(named_parts):
        if part.controller >= 0:
            letter, controller_name = "x" if part.kind in "EH" else "y", names[part.controller]
            named_parts[i] = replace(
                part,
                control=controller_name[1:] if part.kind in "FH" else next(voltages),
                controller_name=controller_name,
                gain=f"{letter}_{next(gain_numbers[letter])}",
            )
    return named_parts


def create_device(
    rng: np.random.Generator,
    part: Part,
    *,
    part_nodes: Mapping[str, tuple[str, str]],
    marks: Sequence[Mark],
    is_symbolic: bool,
) -> Device:
    """The device, its control nodes in the order in which + and - are drawn."""
    nodes: tuple[str, ...] = part_nodes[part.name]
    if part.kind in "EG":
        is_reversed = next(mark.is_reversed for mark in marks if mark.name == part.control)
        nodes = (*nodes, *part_nodes[part.controller_name][:: -1 if is_reversed else 1])
    if part.is_probe:
        return Device(name=part.name, kind="V", nodes=nodes, value=0.0)
    words = [part.controller_name] if part.kind in "FH" else []
    words += [part.gain or part.name] if is_symbolic else []
    value = None if is_symbolic else _value(rng, part.kind)
    return Device(name=part.name, kind=part.kind, nodes=nodes, value=value, text=" ".join(words))


def _value(rng: np.random.Generator, kind: str) -> float:
    """An integer of one to three digits, mostly two; times a power of ten for capacitors and inductors."""
    if kind in "EGFH":
        return float(rng.integers(2, 10 if rng.random() < 0.8 else 100))
    number = int(rng.integers(1, 100) if rng.random() < 0.8 else rng.integers(100, 1000))
    return float(f"{number}e{rng.choice(_EXPONENTS.get(kind, (0,)))}")  # from text, because 47 * 1e-9 is not 47e-9


def carries_current(rng: np.random.Generator, circuit: Circuit) -> bool:
    """Whether the circuit is solvable, every passive part has a voltage, and every probe carries a current.

    It is checked at 0 Hz and at 1 kHz; a circuit without values is checked with random values, at 1 kHz only.
    """
    is_symbolic = any(device.value is None for device in circuit.devices)
    circuit = _with_values(rng, circuit) if is_symbolic else circuit
    try:
        dc_solution = None if is_symbolic else solve(circuit)
        if dc_solution and any(abs(dc_solution.voltage(node)) > MAX_VALUE for node in circuit.nodes):
            return False
        solution = solve(circuit, frequency_hz=FREQUENCY_HZ)
    except SingularCircuitError:
        return False
    voltages = [abs(solution.voltage(*d.nodes[:2])) for d in circuit.devices if d.kind in "RCL"]
    currents = [abs(solution.current(d.name)) for d in circuit.devices if d.kind in "RCLV"]
    probe_currents = [abs(solution.current(d.name)) for d in circuit.devices if d.kind == "V" and d.value == 0]
    max_voltage, max_current = max(abs(solution.voltage(node)) for node in circuit.nodes), max(currents)
    has_voltages = min(voltages) > _ZERO_SHARE * max_voltage
    has_currents = min(probe_currents, default=max_current) > _ZERO_SHARE * max_current
    return has_voltages and has_currents and 0 < max_voltage < MAX_VALUE


def _with_values(rng: np.random.Generator, circuit: Circuit) -> Circuit:
    """The circuit with random impedances and gains of about one."""
    scale = dict.fromkeys("CL", 1 / (2 * np.pi * FREQUENCY_HZ))
    factors = rng.uniform(0.5, 2.0, size=len(circuit.devices))
    return Circuit(
        tuple(
            replace(d, value=float(factor * scale.get(d.kind, 1.0)), text=d.text.split()[0] if d.kind in "FH" else "")
            if d.value is None
            else d
            for d, factor in zip(circuit.devices, factors, strict=True)
        )
    )
