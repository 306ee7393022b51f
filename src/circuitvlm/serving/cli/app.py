"""Define the command `circuitvlm` and its circuit tools: draw, solve, compare, generate, format and deck.

The other commands are in ask.py, chat.py, model.py, data.py, report.py and doctor.py. Exit codes: 0 for success and for
"yes", 1 for "no" (compare, transfer --check, audit, doctor) or an answer that cannot be read (ask), 2 for bad input.
Slow libraries such as matplotlib and torch are imported when a command runs, so that help texts appear at once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from circuitvlm.circuit import generate, netlist
from circuitvlm.circuit.judge import equivalence
from circuitvlm.circuit.solve import numeric
from circuitvlm.serving import display
from circuitvlm.serving.cli import data
from circuitvlm.serving.cli.ask import ask
from circuitvlm.serving.cli.chat import chat
from circuitvlm.serving.cli.common import DASH, Frequency, Json, NetlistFile, Seed, Strict, exit_on_error, read_circuit
from circuitvlm.serving.cli.doctor import doctor
from circuitvlm.serving.cli.model import export
from circuitvlm.serving.cli.report import report
from circuitvlm.serving.text import echo

app = typer.Typer(
    help="Draw and solve circuits, ask trained models about images, and check runs and data sets.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

ImageFormat = Literal["png", "svg"]
Style = Annotated[str, typer.Option(metavar="NAME", help="The drawing style. A wrong name lists the styles.")]
Pixels = Annotated[
    int | None, typer.Option(min=56, max=4096, help="Size in pixels. By default as large as the circuit needs.")
]


@app.command("draw")
def draw_command(
    source: NetlistFile = DASH,
    strict: Strict = False,
    out_file: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="A .png or .svg file, or - for standard output.")
    ] = DASH,
    image_format: Annotated[
        ImageFormat | None,
        typer.Option("--format", help="The file format. By default that of FILE, or png for standard output."),
    ] = None,
    style: Style = "american",
    width: Pixels = None,
    height: Pixels = None,
    seed: Seed = 0,
) -> None:
    """Draw a netlist as a PNG or SVG file.

    \b
    Examples:
    circuitvlm draw divider.cir --out divider.png --style iec
    circuitvlm generate --seed 3 | circuitvlm draw --out random.svg
    """
    with exit_on_error():
        image_format = image_format or _format_of(out_file)
        if out_file == DASH and image_format == "png" and sys.stdout.isatty():
            raise ValueError("--out: expected a file or a pipe for a PNG, got a terminal; give --out or --format svg")
        circuit = read_circuit(source, strict=strict)
        from circuitvlm.circuit import draw

        draw_function = draw.image if image_format == "png" else draw.svg
        drawing = draw_function(circuit, style=style, width=width, height=height, seed=seed)
        content = drawing if isinstance(drawing, bytes) else f"{drawing}\n".encode()
        if out_file == DASH:
            typer.echo(content, nl=False)
        else:
            out_file.write_bytes(content)


@app.command()
def solve(source: NetlistFile = DASH, frequency: Frequency = 0.0, json: Json = False, strict: Strict = False) -> None:
    """Print the voltages, currents and powers of a circuit.

    The analysis is linear and exact. At 0 Hz it is the operating point, with each C open and each L shorted.
    At any other frequency the results are amplitudes and phases.
    A current flows from the first pin of a device to its second. The power of a device that delivers power is negative.

    \b
    Examples:
    circuitvlm solve divider.cir
    circuitvlm solve filter.cir --frequency 1k --json
    """
    with exit_on_error():
        circuit = read_circuit(source, strict=strict)
        solution = numeric.solve(circuit, frequency)
        if json:
            display.print_json(display.solution_dict(circuit, solution, frequency=frequency))
        else:
            display.print_solution(circuit, solution, frequency=frequency)


@app.command()
def compare(
    predicted_file: Annotated[
        Path, typer.Argument(metavar="PREDICTED", help="The predicted netlist's file, or - for standard input.")
    ],
    true_file: Annotated[
        Path, typer.Argument(metavar="TRUTH", help="The true netlist's file, or - for standard input.")
    ],
    json: Json = False,
    strict: Strict = False,
) -> None:
    """Compare a predicted netlist with the true one.

    Node numbers, the order of devices and the orientation of R, C and L do not matter.
    Exit code 0: topology and values are the same. 1: they differ. 2: a netlist cannot be read.

    \b
    Examples:
    circuitvlm compare answer.cir truth.cir
    circuitvlm compare - truth.cir --json < answer.cir
    """
    with exit_on_error():
        if predicted_file == DASH and true_file == DASH:
            raise ValueError(f"PREDICTED and TRUTH: expected a file for one of them, got {DASH} for both")
        comparison = equivalence.compare(
            read_circuit(predicted_file, strict=strict, is_reply=True), read_circuit(true_file, strict=strict)
        )
        if json:
            display.print_json(asdict(comparison))
        else:
            display.print_comparison(comparison)
    raise typer.Exit(0 if comparison.topology and comparison.values else 1)


@app.command("generate")
def generate_command(
    count: Annotated[int, typer.Option(min=1, help="The number of circuits.")] = 1,
    seed: Seed = 0,
    components: Annotated[
        tuple[int, int],
        typer.Option(metavar="LOW HIGH", help="The smallest and the largest number of devices: 2 to 12, or 1 1."),
    ] = (3, 6),
    folder: Annotated[
        Path | None,
        typer.Option("--out", metavar="FOLDER", help="A new or empty folder. Without it one netlist is printed."),
    ] = None,
    style: Style = "american",
    draw: Annotated[bool, typer.Option("--draw/--no-draw", help="Whether to write drawings too.")] = True,
) -> None:
    """Generate random circuits that have a solution.

    Without --out one netlist is printed. With --out the folder gets netlists (000000.cir) and drawings (000000.png).

    \b
    Examples:
    circuitvlm generate --seed 7 --components 4 4
    circuitvlm generate --count 500 --seed 1 --out circuits --style textbook
    """
    with exit_on_error():
        if folder is not None:
            from circuitvlm.serving.export.dataset import write_circuits

            write_circuits(folder, count=count, seed=seed, components=components, style=style if draw else None)
        elif count == 1:
            echo(netlist.format(generate.item(seed, 0, components=components).circuit))
        else:
            raise ValueError(f"--count: expected 1, or a folder (--out FOLDER), got {count} without a folder")


@app.command("format")
def format_command(
    source: NetlistFile = DASH,
    keep_names: Annotated[
        bool, typer.Option("--keep-names", help="Keep the names of the nodes instead of numbering them.")
    ] = False,
    strict: Strict = False,
) -> None:
    """Print a netlist in canonical form.

    It has one device per line, nodes numbered in the order in which they appear, and values such as 4.7k.

    \b
    Examples:
    circuitvlm format answer.txt
    echo 'v1 in 0 dc 10 r1 in 0 1000' | circuitvlm format
    """
    with exit_on_error():
        echo(netlist.format(read_circuit(source, strict=strict, is_reply=True), renumber=not keep_names))


@app.command()
def deck(source: NetlistFile = DASH, frequency: Frequency = 0.0, strict: Strict = False) -> None:
    """Print a complete SPICE deck that computes the voltage of every node.

    The analysis is the operating point, or AC at one frequency.
    The deck is written from the parsed circuit. No text, card or command of the input is copied.

    \b
    Example:
    circuitvlm deck divider.cir > divider.deck && ngspice -b divider.deck
    """
    with exit_on_error():
        analysis = f"ac {frequency!r}" if frequency else "op"
        echo(netlist.deck(read_circuit(source, strict=strict), analysis), end_line=False)


COMMANDS: dict[str, Callable[..., None]] = {
    "ask": ask,
    "chat": chat,
    "export": export,
    "merge": export,
    "transfer": data.transfer,
    "audit": data.audit,
    "dataset": data.dataset,
    "report": report,
    "doctor": doctor,
}
for name, command in COMMANDS.items():
    app.command(name)(command)


def _format_of(file: Path) -> ImageFormat:
    suffix = ".png" if file == DASH else file.suffix.lower()
    if suffix not in (".png", ".svg"):
        raise ValueError(f"--out: expected a name that ends in .png or .svg, or --format, got {file}")
    return "png" if suffix == ".png" else "svg"


if __name__ == "__main__":
    app()
