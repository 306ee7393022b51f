"""Print tables, solutions, transfer functions and comparisons, for a person or as JSON."""

from __future__ import annotations

import cmath
import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Column, Table

from circuitvlm.circuit.graph import GROUND, Circuit
from circuitvlm.circuit.judge.equivalence import Comparison
from circuitvlm.circuit.quantity import MIN_MAGNITUDE, format_engineering
from circuitvlm.circuit.solve.numeric import Solution
from circuitvlm.serving.text import echo, escape

if TYPE_CHECKING:  # SymPy takes half a second to load
    from circuitvlm.circuit.solve.symbolic import TransferFunction

JsonValue = float | dict[str, float]
"""A number, or the parts of a complex number by their names."""


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table on standard output: with rules on a terminal, else as columns of plain text."""
    header, *rows = [[escape(cell) for cell in row] for row in (header, *rows)]
    if sys.stdout.isatty():
        table = Table(*(Column(name, justify="right" if index else "left") for index, name in enumerate(header)))
        for row in rows:
            table.add_row(*row)
        Console(markup=False, emoji=False).print(table)  # cells hold text of data sets
        return
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    for row in (header, *rows):
        echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def print_json(value: Mapping[str, Any]) -> None:
    """Print indented JSON on standard output."""
    echo("\n".join(map(escape, json.dumps(value, indent=2, ensure_ascii=False).split("\n"))))


def print_solution(circuit: Circuit, solution: Solution, *, frequency: float) -> None:
    """Print a table of the node voltages, and one of the voltage, current and power of each device."""
    phase = ["phase (deg)"] if frequency else []
    values = solution_dict(circuit, solution, frequency=frequency)
    print_table(["node", "voltage (V)", *phase], [[name, *_polar_cells(v)] for name, v in values["nodes"].items()])
    echo()
    power = ["mean power (W)", "reactive (var)"] if frequency else ["power (W)"]
    devices = [
        [name, *_polar_cells(v["voltage"]), *_polar_cells(v["current"]), *_rectangular_cells(v["power"])]
        for name, v in values["devices"].items()
    ]
    print_table(["device", "voltage (V)", *phase, "current (A)", *phase, *power], devices)


def solution_dict(circuit: Circuit, solution: Solution, *, frequency: float) -> dict[str, Any]:
    """The unrounded solution for JSON; a phasor has its real and imaginary part, magnitude and phase."""
    devices = {
        device.name: {
            "voltage": _json_value(solution.voltage(*device.nodes[:2])),
            "current": _json_value(solution.current(device.name)),
            "power": _json_value(solution.power(device.name)),
        }
        for device in circuit.devices
    }
    nodes = {node: _json_value(solution.voltage(node)) for node in circuit.nodes if node != GROUND}
    return {"frequency": frequency, "nodes": nodes, "devices": devices}


def print_transfer_function(function: TransferFunction) -> None:
    """Print the formula, its poles and zeros where these are short, and its value at 0 Hz."""
    echo(f"H(s) = {function}")
    texts = transfer_function_dict(function)
    for name in ("poles", "zeros"):
        echo(f"{name} (rad/s): {', '.join(texts[name]) or 'none'}")
    echo(f"DC gain: {texts['dc_gain']}")


def transfer_function_dict(function: TransferFunction) -> dict[str, Any]:
    """The transfer function for JSON. Its numbers are texts, because a pole may be a formula."""
    return {
        "transfer_function": str(function),
        "latex": function.latex,
        "poles": _root_texts(function.poles),
        "zeros": _root_texts(function.zeros),
        "dc_gain": str(function.dc_gain).replace("zoo", "infinite"),
    }


def _root_texts(find_roots: Callable[[], Sequence[Any]]) -> list[str]:
    """The roots; for symbols in a polynomial of a high degree, what to do to get them."""
    try:
        return [f"{root:.6g}" if isinstance(root, complex) else str(root) for root in find_roots()]
    except ValueError:
        return ["no short formula: give the elements numbers"]


def print_comparison(comparison: Comparison) -> None:
    """Print one row for each aspect: yes or no, or a share in [0, 1]."""
    rows = [
        [name, ("yes" if value else "no") if isinstance(value, bool) else f"{value:.4f}"]
        for name, value in asdict(comparison).items()
    ]
    print_table(["aspect", "result"], rows)


def _polar_cells(value: JsonValue) -> list[str]:
    """One cell for a number; magnitude and phase in degrees for a phasor."""
    if isinstance(value, float):
        return [_engineering_text(value)]
    phase = round(value["phase_degrees"], 2) + 0.0  # + 0.0 turns -0.0 into 0.0
    return [_engineering_text(value["magnitude"]), f"{phase:.2f}"]


def _rectangular_cells(value: JsonValue) -> list[str]:
    """One cell for a number; real and imaginary part for a complex one."""
    parts = [value] if isinstance(value, float) else [value["real"], value["imaginary"]]
    return [_engineering_text(part) for part in parts]


def _engineering_text(value: float) -> str:
    """Six digits with a SPICE suffix, which are enough for a table; JSON has all digits."""
    return format_engineering(float(f"{value:.6g}") if abs(value) >= MIN_MAGNITUDE else 0.0)


def _json_value(value: float | complex) -> JsonValue:
    if not isinstance(value, complex):
        return value
    return {
        "real": value.real,
        "imaginary": value.imag,
        "magnitude": abs(value),
        "phase_degrees": math.degrees(cmath.phase(value)),
    }
