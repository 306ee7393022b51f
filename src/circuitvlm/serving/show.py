"""How is a result shown: to a person at a terminal, to a pipe, to another program?"""

from __future__ import annotations

import cmath
import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.table import Table

from circuitvlm.circuit.graph import GROUND, Circuit
from circuitvlm.circuit.judge.equivalence import Comparison
from circuitvlm.circuit.quantity import SMALLEST, format_engineering
from circuitvlm.circuit.solve.numeric import Solution

if TYPE_CHECKING:  # SymPy takes half a second to load
    from circuitvlm.circuit.solve.symbolic import TransferFunction

Cells = Sequence[Sequence[str]]
PHASE = "phase (deg)"


def table(head: Sequence[str], rows: Cells) -> None:
    """On standard output: ruled on a terminal, else columns of plain text."""
    if sys.stdout.isatty():
        ruled = Table()
        for index, name in enumerate(head):
            ruled.add_column(name, justify="right" if index else "left")
        for row in rows:
            ruled.add_row(*row)
        Console(markup=False, emoji=False).print(ruled)  # cells hold text of data sets
    else:
        widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
        for row in (head, *rows):
            typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def as_json(body: Mapping[str, Any]) -> None:
    """On standard output, indented, for another program."""
    typer.echo(json.dumps(body, indent=2, ensure_ascii=False))


def solution(circuit: Circuit, solved: Solution, *, frequency: float) -> None:
    """Two tables: the voltages of the nodes, and what each device carries and takes up."""
    phase = [PHASE] if frequency else []
    table(["node", "voltage (V)", *phase], [[node, *_shown(solved.voltage(node))] for node in _inner(circuit)])
    typer.echo()
    power = ["mean power (W)", "reactive (var)"] if frequency else ["power (W)"]
    rows = [
        [
            device.name,
            *_shown(solved.voltage(*device.nodes[:2])),
            *_shown(solved.current(device.name)),
            *_rectangular(solved.power(device.name)),
        ]
        for device in circuit.devices
    ]
    table(["device", "voltage (V)", *phase, "current (A)", *phase, *power], rows)


def solution_json(circuit: Circuit, solved: Solution, *, frequency: float) -> None:
    """The same numbers unrounded, as `solution_body` has them."""
    as_json(solution_body(circuit, solved, frequency=frequency))


def solution_body(circuit: Circuit, solved: Solution, *, frequency: float) -> dict[str, Any]:
    """What JSON says of a solution: a phasor by its real and imaginary part, magnitude and phase."""
    devices = {
        device.name: {
            "voltage": _plain(solved.voltage(*device.nodes[:2])),
            "current": _plain(solved.current(device.name)),
            "power": _plain(solved.power(device.name)),
        }
        for device in circuit.devices
    }
    nodes = {node: _plain(solved.voltage(node)) for node in _inner(circuit)}
    return {"frequency": frequency, "nodes": nodes, "devices": devices}


def transfer(made: TransferFunction) -> None:
    """The formula, and what it says of poles, zeros and direct current where that is short."""
    typer.echo(f"H(s) = {made}")
    body = transfer_body(made)
    for name in ("poles", "zeros"):
        typer.echo(f"{name} (rad/s): {', '.join(body[name]) or 'none'}")
    typer.echo(f"DC gain: {body['dc_gain']}")


def transfer_json(made: TransferFunction) -> None:
    as_json(transfer_body(made))


def transfer_body(made: TransferFunction) -> dict[str, Any]:
    """Numbers as text: a pole may be a formula. Roots of a high degree in symbols are left out, and said."""
    return {
        "transfer_function": str(made),
        "latex": made.latex,
        "poles": _roots(made.poles),
        "zeros": _roots(made.zeros),
        "dc_gain": str(made.dc_gain).replace("zoo", "infinite"),
    }


def _roots(of: Callable[[], Sequence[Any]]) -> list[str]:
    try:
        return [f"{root:.6g}" if isinstance(root, complex) else str(root) for root in of()]
    except ValueError:
        return ["no short formula: give the elements numbers"]


def comparison(result: Comparison) -> None:
    """One line for each field."""
    rows = [[name, _word(value)] for name, value in asdict(result).items()]
    table(["aspect", "result"], rows)


def _inner(circuit: Circuit) -> list[str]:
    return [node for node in circuit.nodes if node != GROUND]


def _word(value: bool | float) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else f"{value:.4f}"


def _shown(value: float | complex) -> list[str]:
    """One cell, or magnitude and phase of a phasor."""
    if not isinstance(value, complex):
        return [_engineering(value)]
    phase = round(math.degrees(cmath.phase(value)), 2) + 0.0  # + 0.0 takes the sign off a zero
    return [_engineering(abs(value)), f"{phase:.2f}"]


def _rectangular(value: float | complex) -> list[str]:
    return [_engineering(value.real), _engineering(value.imag)] if isinstance(value, complex) else [_engineering(value)]


def _engineering(value: float) -> str:
    """Six digits: a table is for reading, JSON has them all."""
    return format_engineering(float(f"{value:.6g}") if abs(value) >= SMALLEST else 0.0)


def _plain(value: float | complex) -> float | dict[str, float]:
    if not isinstance(value, complex):
        return value
    return {
        "real": value.real,
        "imaginary": value.imag,
        "magnitude": abs(value),
        "phase_degrees": math.degrees(cmath.phase(value)),
    }
