"""Who else may read our circuits? Programs that read CircuitSense's layouts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from circuitvlm.circuit import draw
from circuitvlm.circuit.draw.layout import Mark
from circuitvlm.circuit.generate import Item, grid
from circuitvlm.circuit.solve.numeric import solve
from circuitvlm.circuit.solve.symbolic import TooLargeError, transfer_function
from circuitvlm.data.circuitsense.writer import Measurement, Written, write
from circuitvlm.runtime.progress import bar

STYLE = "circuitsense"
MOST_FUNCTIONS = 3
"""Transfer functions of one circuit, as the benchmark's own generator keeps."""

MOST_VOLTAGES = 2
_TRIES = 50
_TRIVIAL = (0.0, 1.0, -1.0)


def write_circuitsense(
    folder: Path, *, count: int, seed: int, components: tuple[int, int], symbolic_share: float
) -> None:
    """Writes `count` generated circuits with their pictures, transfer functions and measurements.

    Circuit k is k of the series `seed`, whatever `count` is. A share of them is symbolic and has transfer functions,
    the others have numbers and marked voltages and currents. Raises ValueError for a folder that is not empty.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"{folder} is there and not an empty folder; give a new one")
    items = _items(count=count, seed=seed, components=components, symbolic_share=symbolic_share)
    write(folder, bar(items, total=count, label=f"drawing {count} circuits"))


def _items(*, count: int, seed: int, components: tuple[int, int], symbolic_share: float) -> Iterator[Written]:
    for index in range(count):
        rng = np.random.default_rng(np.random.SeedSequence([seed, index, 1]))
        symbolic = bool(rng.random() < symbolic_share)
        yield _item(rng, seed=seed, index=index, components=components, symbolic=symbolic)


def _item(rng: np.random.Generator, *, seed: int, index: int, components: tuple[int, int], symbolic: bool) -> Written:
    """The first circuit with something to ask for, legibly drawn."""
    name = f"{index // 1000 + 1}_{index % 1000 + 1}"
    for turn in range(_TRIES):
        made = grid.item([seed, index], turn, components=components, form="symbolic" if symbolic else "numeric")
        asked, marks = ([], []) if symbolic else _measured(rng, made)
        functions = _functions(made) if symbolic else {}
        touched = draw.crowding(made.circuit, made.placement, marks=marks, style=STYLE, seed=index)
        if (asked or functions) and touched < 1:
            image = draw.image(made.circuit, made.placement, marks=marks, style=STYLE, seed=index)
            return Written(name, made.circuit, image, transfer_functions=functions, measurements=asked)
    raise ValueError(f"no legible circuit of {components} components with a question in {_TRIES} tries")


def _functions(made: Item) -> dict[str, str]:
    """From the first voltage source to the first few passives, each as a factored fraction."""
    devices = made.circuit.devices
    source = next((d.name for d in devices if d.kind == "V" and d.value is None), None)
    found: dict[str, str] = {}
    for device in devices:
        if source and device.kind in "RCL" and len(found) < MOST_FUNCTIONS:
            try:
                found[f"{source}_to_{device.name}"] = transfer_function(
                    made.circuit, source=source, output=device.name
                ).text
            except TooLargeError:
                continue
    return {ports: text for ports, text in found.items() if text != "0"}


def _measured(rng: np.random.Generator, made: Item) -> tuple[list[Measurement], list[Mark]]:
    """The current of each probe that is drawn, and the voltage over one or two devices, marked U0 and U1."""
    solved = solve(made.circuit)
    asked: list[Measurement] = []
    for device in made.circuit.devices:
        value = solved.current(device.name)
        if device.name.startswith("VI") and device.value == 0 and isinstance(value, float) and _is_question(value):
            asked.append(Measurement(f"i({device.name})", f"I{device.name[2:]}", value))
    marks: list[Mark] = []
    plain = [d for d in made.circuit.devices if d.kind in "RCL"]
    for place in rng.permutation(len(plain))[:MOST_VOLTAGES]:
        device = plain[int(place)]
        back = bool(rng.random() < 0.5)
        plus, minus = device.nodes[1::-1] if back else device.nodes
        value = solved.voltage(plus, minus)
        if isinstance(value, float) and _is_question(value):
            name = f"U{len(marks)}"
            asked.append(Measurement(f"v({plus},{minus})", name, value))
            marks.append(Mark("voltage", name, device.name, reversed=back))
    return asked, marks


def _is_question(value: float) -> bool:
    return abs(value) > 1e-9 and value not in _TRIVIAL
