"""Write generated circuits as a data set: netlists with drawings, or CircuitSense's layouts."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from circuitvlm.circuit import draw, generate, netlist
from circuitvlm.circuit.generate import Item, grid
from circuitvlm.circuit.placement import Mark
from circuitvlm.circuit.solve.numeric import solve
from circuitvlm.circuit.solve.symbolic import TooLargeError, transfer_function
from circuitvlm.data.circuitsense.writer import CircuitItem, Measurement, write
from circuitvlm.runtime.progress import bar

STYLE = "circuitsense"
MAX_FUNCTIONS = 3
"""Transfer functions of one circuit, as many as the benchmark's own generator keeps."""

MAX_VOLTAGES = 2
_TRIES = 50


def write_circuits(folder: Path, *, count: int, seed: int, components: tuple[int, int], style: str | None) -> None:
    """Write `count` generated circuits as netlists (000000.cir), and with a style also as drawings (000000.png).

    Number k is the item k of the series `seed`, whatever `count` is. Raises ValueError for a folder that is not empty,
    and for an unknown style or a wrong number of components before the folder is made.
    """
    _check_empty(folder)
    if style is not None:
        draw.find_style(style)
    generate.item(seed, 0, components=components)
    folder.mkdir(parents=True, exist_ok=True)
    for index in bar(range(count), label=f"generating {count} circuits"):
        item = generate.item(seed, index, components=components)
        (folder / f"{index:06d}.cir").write_text(netlist.format(item.circuit) + "\n", encoding="utf-8")
        if style is not None:
            image = draw.image(item.circuit, item.placement, style=style, seed=index)
            (folder / f"{index:06d}.png").write_bytes(image)


def write_circuitsense(
    folder: Path, *, count: int, seed: int, components: tuple[int, int], symbolic_share: float
) -> None:
    """Write `count` generated circuits with their drawings, transfer functions and measurements.

    Number k is the item k of the series `seed`, whatever `count` is. A share of the circuits is symbolic and has
    transfer functions; the others have numbers, and marked voltages and currents. Raises ValueError for a folder that
    is not empty.
    """
    _check_empty(folder)
    items = (_item(seed, i, components=components, symbolic_share=symbolic_share) for i in range(count))
    write(folder, bar(items, total=count, label=f"drawing {count} circuits"))


def _check_empty(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"{folder}: expected a new or empty folder, got a file or a folder with files")


def _item(seed: int, index: int, *, components: tuple[int, int], symbolic_share: float) -> CircuitItem:
    """The first circuit of a series with a legible drawing and with something to ask."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, index, 1]))
    is_symbolic = bool(rng.random() < symbolic_share)
    name = f"{index // 1000 + 1}_{index % 1000 + 1}"
    for attempt in range(_TRIES):
        item = grid.item([seed, index], attempt, components=components, form="symbolic" if is_symbolic else "numeric")
        measurements, marks = ([], []) if is_symbolic else _measure(rng, item)
        functions = _transfer_functions(item) if is_symbolic else {}
        overlap = draw.overlap_area(item.circuit, item.placement, marks=marks, style=STYLE, seed=index)
        if (measurements or functions) and overlap < 1:
            image = draw.image(item.circuit, item.placement, marks=marks, style=STYLE, seed=index)
            return CircuitItem(name, item.circuit, image, transfer_functions=functions, measurements=measurements)
    raise ValueError(f"components: expected numbers that give a legible circuit with a question, got {components!r}")


def _transfer_functions(item: Item) -> dict[str, str]:
    """Those from the first voltage source to the first few passive devices, each as a factored fraction."""
    devices = item.circuit.devices
    source = next((d.name for d in devices if d.kind == "V" and d.value is None), None)
    texts: dict[str, str] = {}
    for device in devices:
        if source and device.kind in "RCL" and len(texts) < MAX_FUNCTIONS:
            try:
                function = transfer_function(item.circuit, source=source, output=device.name)
                texts[f"{source}_to_{device.name}"] = function.text
            except TooLargeError:
                continue
    return {ports: text for ports, text in texts.items() if text != "0"}


def _measure(rng: np.random.Generator, item: Item) -> tuple[list[Measurement], list[Mark]]:
    """The current of each drawn probe, and the voltage across one or two devices, with the marks U0 and U1."""
    solution = solve(item.circuit)
    measurements: list[Measurement] = []
    for device in item.circuit.devices:
        value = solution.current(device.name)
        if device.name.startswith("VI") and device.value == 0 and isinstance(value, float) and _is_question(value):
            measurements.append(Measurement(f"i({device.name})", f"I{device.name[2:]}", value))
    marks: list[Mark] = []
    passive_devices = [d for d in item.circuit.devices if d.kind in "RCL"]
    for place in rng.permutation(len(passive_devices))[:MAX_VOLTAGES]:
        device = passive_devices[int(place)]
        is_reversed = bool(rng.random() < 0.5)
        plus, minus = device.nodes[1::-1] if is_reversed else device.nodes
        value = solution.voltage(plus, minus)
        if isinstance(value, float) and _is_question(value):
            name = f"U{len(marks)}"
            measurements.append(Measurement(f"v({plus},{minus})", name, value))
            marks.append(Mark("voltage", name, device.name, is_reversed=is_reversed))
    return measurements, marks


def _is_question(value: float) -> bool:
    """Whether a value is neither 0 nor 1 or -1, which are easily guessed."""
    return abs(value) > 1e-9 and abs(value) != 1.0
