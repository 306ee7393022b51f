"""Which devices does a circuit on a grid have, what are they called, and does a current flow in each?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from circuitvlm.circuit.draw.geometry import Mark
from circuitvlm.circuit.graph import Circuit, Device
from circuitvlm.circuit.solve.numeric import SingularCircuitError, solve

CONTROLLED_SHARE = 0.5
"""How often a plan has a controlled source: such circuits are harder to solve, so about a third of the items remain."""

PROBED_SHARE = 0.2
"""How often a numeric circuit has a current probe that controls nothing, to be asked for."""

FREQUENCY = 1000.0
LARGEST = 1e6
_DEAD = 1e-6
"""Share of the largest voltage or current under which a part counts as dead."""

_PREFIXES = {"C": (-6, -9), "L": (-3, -6)}


@dataclass(frozen=True, slots=True)
class Part:
    """A device before it has nodes. `host` and `watched` are the numbers in the plan of the part whose edge it shares
    and of the part that controls it; the names of the latter follow in `control` (of the quantity) and `watches`.
    """

    number: int
    kind: str
    is_probe: bool = False
    host: int = -1
    watched: int = -1
    name: str = ""
    control: str = ""
    watches: str = ""
    gain: str = ""

    @property
    def shares(self) -> bool:
        """Whether it stands on the edge of another part."""
        return self.host >= 0


def planned(rng: np.random.Generator, *, count: int, kinds: str, symbolic: bool) -> tuple[Part, ...]:
    """Kinds for `count` devices, and who controls whom."""
    passive = [kind for kind in "RCL" if kind in kinds]
    if len(passive) > 1 and "R" in passive and rng.random() < 0.4:
        passive = ["R"]
    independent = _sources(rng, count=count, kinds=kinds, symbolic=symbolic)
    controlled = _controlled(rng, room=count - len(independent) - 1, kinds=kinds)
    probes = sum(kind in "FH" for kind in controlled)
    if not symbolic and "V" in kinds and count - len(independent) - len(controlled) - probes > 2:
        probes += rng.random() < PROBED_SHARE
    rest = count - len(independent) - len(controlled) - probes
    plain = [*independent, *(str(kind) for kind in rng.choice(passive, size=rest, p=_weights(passive)))]
    parts = [Part(number=i, kind=kind) for i, kind in enumerate(plain)]
    hosts = [part.number for part in parts if part.kind in "RCLV"]
    watched = [part.number for part in parts if part.kind in "RCL"]
    rng.shuffle(hosts)
    rng.shuffle(watched)
    free = []
    for _ in range(probes):
        host = hosts.pop() if hosts and rng.random() < 0.5 else -1
        free.append(len(parts))
        parts.append(Part(number=len(parts), kind="V", is_probe=True, host=host))
    for kind in controlled:
        seen = free.pop() if kind in "FH" else watched.pop()
        parts.append(Part(number=len(parts), kind=kind, watched=seen))
    return tuple(parts)


def _weights(passive: Sequence[str]) -> list[float]:
    """Resistors are twice as frequent as capacitors and inductors."""
    weights = [2.0 if kind == "R" else 1.0 for kind in passive]
    return [weight / sum(weights) for weight in weights]


def _sources(rng: np.random.Generator, *, count: int, kinds: str, symbolic: bool) -> list[str]:
    """One or two independent sources, the first of a symbolic circuit a V."""
    allowed = [kind for kind in "VI" if kind in kinds]
    number = 2 if count > 3 and rng.random() < 0.25 else 1
    found = [str(rng.choice(allowed, p=None if len(allowed) == 1 else [0.75, 0.25])) for _ in range(number)]
    return ["V", *found[1:]] if symbolic else found


def _controlled(rng: np.random.Generator, *, room: int, kinds: str) -> list[str]:
    """Kinds of the controlled sources; each needs a probe, or a passive part to watch, of its own."""
    allowed = [kind for kind in "EGFH" if kind in kinds]
    if not allowed or room < 2 or rng.random() > CONTROLLED_SHARE:
        return []
    number = 2 if room > 4 and rng.random() < 0.2 else 1
    return [str(kind) for kind in rng.choice(allowed, size=number)]


def named(rng: np.random.Generator, parts: Sequence[Part], *, shuffled: bool) -> list[Part]:
    """The parts with names numbered by kind, in the order given or not, gains, and names for what controls them."""
    probes = [part for part in parts if part.is_probe]
    names = {part.number: f"VI{i}" for i, part in enumerate(probes, start=1)}
    for kind in sorted({part.kind for part in parts}):
        same = [part.number for part in parts if part.kind == kind and not part.is_probe]
        first = 1 + (len(probes) if kind == "I" else 0)  # I_1 is the current of VI1
        order = rng.permutation(len(same)) if shuffled else range(len(same))
        names.update({number: f"{kind}{first + int(i)}" for number, i in zip(same, order, strict=True)})
    voltages = (f"V{i}" for i in range(len(parts) + 10) if f"V{i}" not in names.values())
    gains = {"x": 0, "y": 0}
    found = []
    for part in parts:
        if part.watched < 0:
            found.append(replace(part, name=names[part.number]))
            continue
        letter = "x" if part.kind in "EH" else "y"
        gains[letter] += 1
        seen = names[part.watched]
        control = seen[1:] if part.kind in "FH" else next(voltages)
        gain = f"{letter}_{gains[letter]}"
        found.append(replace(part, name=names[part.number], control=control, watches=seen, gain=gain))
    return found


def device_of(
    rng: np.random.Generator,
    part: Part,
    *,
    ends: Mapping[str, tuple[str, str]],
    marks: Sequence[Mark],
    symbolic: bool,
) -> Device:
    """The device, its control nodes in the order in which + and - are drawn."""
    nodes: tuple[str, ...] = ends[part.name]
    if part.kind in "EG":
        is_reversed = next(mark.reversed for mark in marks if mark.name == part.control)
        nodes = (*nodes, *ends[part.watches][:: -1 if is_reversed else 1])
    if part.is_probe:
        return Device(name=part.name, kind="V", nodes=nodes, value=0.0)
    control = (part.watches,) if part.kind in "FH" else ()
    if symbolic:
        return Device(name=part.name, kind=part.kind, nodes=nodes, text=" ".join((*control, part.gain or part.name)))
    return Device(name=part.name, kind=part.kind, nodes=nodes, value=_value(rng, part.kind), text=" ".join(control))


def _value(rng: np.random.Generator, kind: str) -> float:
    """An integer of one to three digits, mostly two, with a prefix for capacitors and inductors."""
    if kind in "EGFH":
        return float(rng.integers(2, 10 if rng.random() < 0.8 else 100))
    number = int(rng.integers(1, 100) if rng.random() < 0.8 else rng.integers(100, 1000))
    return float(f"{number}e{rng.choice(_PREFIXES.get(kind, (0,)))}")  # through text: 47 * 1e-9 is not 47e-9


def is_lively(rng: np.random.Generator, circuit: Circuit) -> bool:
    """Whether the circuit is solvable, and a voltage lies across every passive part and a current flows in every probe.

    Tried at 0 Hz and at 1 kHz; a circuit without values with random ones, at 1 kHz alone.
    """
    symbolic = any(device.value is None for device in circuit.devices)
    tried = _with_values(rng, circuit) if symbolic else circuit
    try:
        if not symbolic:
            solved = solve(tried)
            if any(abs(solved.voltage(node)) > LARGEST for node in tried.nodes):
                return False
        solution = solve(tried, frequency_hz=FREQUENCY)
    except SingularCircuitError:
        return False
    voltages = [abs(solution.voltage(*d.nodes[:2])) for d in tried.devices if d.kind in "RCL"]
    currents = [abs(solution.current(d.name)) for d in tried.devices if d.kind in "RCLV"]
    probes = [abs(solution.current(d.name)) for d in tried.devices if d.kind == "V" and d.value == 0]
    highest, largest = max(abs(solution.voltage(node)) for node in tried.nodes), max(currents)
    alive = min(voltages) > _DEAD * highest and min(probes, default=largest) > _DEAD * largest
    return alive and 0 < highest < LARGEST


def _with_values(rng: np.random.Generator, circuit: Circuit) -> Circuit:
    """Impedances and gains of about one."""
    scale = {"C": 1 / (2 * np.pi * FREQUENCY), "L": 1 / (2 * np.pi * FREQUENCY)}
    devices = []
    for device in circuit.devices:
        value = float(rng.uniform(0.5, 2.0) * scale.get(device.kind, 1.0))
        text = device.text.split()[0] if device.kind in "FH" else ""
        devices.append(device if device.value is not None else replace(device, value=value, text=text))
    return Circuit(devices=tuple(devices))
