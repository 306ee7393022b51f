"""Who else may ask, at a shell? The command `circuitvlm`: draw, solve, compare, generate, format, deck; what needs a
model, ask (ask.py), chat, export and merge (model.py); transfer, audit and dataset (data.py);
report (report.py); and doctor, which looks at a run before it is started (doctor.py).

Exit codes: 0 done (and "yes"), 1 the answer is "no" (compare, transfer --check, audit, doctor) or cannot be read (ask),
2 bad input. Drawing and asking import what they need when they are called: a shell waits for neither matplotlib nor
torch to show a help text.
"""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from circuitvlm.circuit import generate, netlist
from circuitvlm.circuit.graph import Circuit
from circuitvlm.circuit.judge import equivalence
from circuitvlm.circuit.solve import numeric
from circuitvlm.runtime.progress import bar
from circuitvlm.serving import show
from circuitvlm.serving.cli import ask, doctor, model, report
from circuitvlm.serving.cli import data as data_command
from circuitvlm.serving.cli.shell import Frequency, told

app = typer.Typer(
    help="Circuits at the shell: netlists in; drawings, numbers and verdicts out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

STDIN = Path("-")


class Picture(StrEnum):
    """What a drawing is written as."""

    PNG = "png"
    SVG = "svg"


Source = Annotated[Path, typer.Argument(metavar="NETLIST", help="A netlist file; - or nothing is standard input.")]
Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]
Style = Annotated[str, typer.Option(metavar="NAME", help="A drawing style; a wrong name lists those there are.")]
Seed = Annotated[int, typer.Option(min=0, help="The same seed gives the same result everywhere.")]
Pixels = Annotated[int | None, typer.Option(min=56, max=4096, help="In pixels; by default what suits the circuit.")]


@app.command("draw")
def draw_command(
    source: Source = STDIN,
    out: Annotated[Path, typer.Option(metavar="FILE", help="A .png or .svg file; - is standard output.")] = STDIN,
    kind: Annotated[Picture | None, typer.Option("--format", help="By default what FILE ends in, else png.")] = None,
    style: Style = "american",
    width: Pixels = None,
    height: Pixels = None,
    seed: Seed = 0,
) -> None:
    """Draw a netlist.

    \b
    circuitvlm draw divider.cir --out divider.png --style iec
    circuitvlm generate --seed 3 | circuitvlm draw --out random.svg
    """
    with told():
        chosen = kind or _kind_of(out)
        if out == STDIN and chosen is Picture.PNG and sys.stdout.isatty():
            raise ValueError("a PNG is not for a terminal; give --out FILE, --format svg, or a pipe")
        circuit = _read(source)
        from circuitvlm.circuit import draw

        draw_it = draw.image if chosen is Picture.PNG else draw.svg
        made = draw_it(circuit, style=style, width=width, height=height, seed=seed)
        data = made if isinstance(made, bytes) else f"{made}\n".encode()
        if out == STDIN:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        else:
            out.write_bytes(data)


@app.command()
def solve(source: Source = STDIN, frequency: Frequency = 0.0, json: Json = False) -> None:
    """Print the node voltages, and the devices' voltages, currents and powers.

    Exact linear analysis: the operating point at 0 Hz (C open, L short), amplitudes and phases at any other frequency.
    A current flows from a device's first pin to its second; a device that delivers power has a negative one.

    \b
    circuitvlm solve divider.cir
    circuitvlm solve filter.cir --frequency 1k --json
    """
    with told():
        circuit = _read(source)
        solved = numeric.solve(circuit, frequency)
        (show.solution_json if json else show.solution)(circuit, solved, frequency=frequency)


@app.command()
def compare(
    predicted: Annotated[Path, typer.Argument(metavar="PREDICTED", help="A netlist file, or - for standard input.")],
    truth: Annotated[Path, typer.Argument(metavar="TRUTH", help="The true netlist's file, or -.")],
    json: Json = False,
) -> None:
    """Is this circuit the same as that one? Exit code 0: yes, with its values. 1: no. 2: one cannot be read.

    Nodes may be numbered in any way, devices stand in any order, and R, C and L may be turned round.

    \b
    circuitvlm compare answer.cir truth.cir
    circuitvlm compare - truth.cir --json < answer.cir
    """
    with told():
        if predicted == STDIN and truth == STDIN:
            raise ValueError("PREDICTED and TRUTH are both standard input; give a file for one of them")
        result = equivalence.compare(_read(predicted), _read(truth))
        if json:
            show.as_json({name: getattr(result, name) for name in type(result).__dataclass_fields__})
        else:
            show.comparison(result)
    raise typer.Exit(0 if result.topology and result.values else 1)


@app.command("generate")
def generate_command(
    count: Annotated[int, typer.Option(min=1, help="How many circuits.")] = 1,
    seed: Seed = 0,
    components: Annotated[
        tuple[int, int], typer.Option(metavar="LOW HIGH", help="Least and largest number of devices, 1 to 12.")
    ] = (3, 6),
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="A new or empty folder; else one netlist is printed.")
    ] = None,
    style: Style = "american",
    draw: Annotated[bool, typer.Option("--draw/--no-draw", help="Also write the drawings.")] = True,
) -> None:
    """Make random circuits that have a solution: netlists (000000.cir) and drawings (000000.png) in a folder.

    \b
    circuitvlm generate --seed 7 --components 4 4
    circuitvlm generate --count 500 --seed 1 --out circuits --style textbook
    """
    with told():
        if out is None:
            if count != 1:
                raise ValueError(f"--count {count} needs --out FOLDER; without a folder one netlist is printed")
            typer.echo(netlist.format(generate.item(seed, 0, components=components).circuit))
            return
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise ValueError(f"{out} is there and not an empty folder; give a new one")
        _generate_folder(out, count=count, seed=seed, components=components, style=style if draw else None)


@app.command("format")
def format_command(
    source: Source = STDIN,
    keep_names: Annotated[
        bool, typer.Option("--keep-names", help="Keep the nodes' names instead of numbering them.")
    ] = False,
) -> None:
    """Print a netlist in canonical form: one device per line, nodes numbered as they appear, values as 4.7k.

    \b
    circuitvlm format answer.txt
    echo 'v1 in 0 dc 10 r1 in 0 1000' | circuitvlm format
    """
    with told():
        typer.echo(netlist.format(_read(source), renumber=not keep_names))


@app.command()
def deck(source: Source = STDIN, frequency: Frequency = 0.0) -> None:
    """Print a complete SPICE deck that asks for every node's voltage: an operating point, or AC at one frequency.

    The deck is written anew from the circuit: nothing of the input's text, no card and no command, comes into it.

    \b
    circuitvlm deck divider.cir > divider.deck && ngspice -b divider.deck
    """
    with told():
        analysis = f"ac {frequency!r}" if frequency else "op"
        typer.echo(netlist.deck(_read(source), analysis), nl=False)


app.command("ask")(ask.ask)
app.command("chat")(model.chat)
app.command("export")(model.export)
app.command("merge")(model.export)
app.command("transfer")(data_command.transfer)
app.command("audit")(data_command.audit)
app.command("dataset")(data_command.dataset)
app.command("report")(report.report)
app.command("doctor")(doctor.doctor)


def _read(source: Path) -> Circuit:
    """The circuit of a file or of standard input; errors name the file."""
    if source == STDIN:
        if sys.stdin.isatty():
            typer.echo("reading a netlist from the terminal; Ctrl-D ends it", err=True)
        data, name = sys.stdin.buffer.read(), "standard input"
    else:
        data, name = source.read_bytes(), str(source)
    try:
        return netlist.parse(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ValueError(f"{name}: not UTF-8 text (byte {error.start})") from error
    except netlist.NetlistError as error:
        raise ValueError(f"{name}: {error}") from error


def _kind_of(out: Path) -> Picture:
    if out == STDIN:
        return Picture.PNG
    ending = out.suffix.lower().removeprefix(".")
    if ending not in list(Picture):
        raise ValueError(f"{out}: wanted a name that ends in .png or .svg, or --format")
    return Picture(ending)


def _generate_folder(out: Path, *, count: int, seed: int, components: tuple[int, int], style: str | None) -> None:
    """Number k is k of the series `seed`, whatever `count` is. With a style, the drawings too."""
    from circuitvlm.circuit import draw

    if style is not None:
        draw.style_named(style)
    generate.item(seed, 0, components=components)  # wrong components are told before a folder is made
    out.mkdir(parents=True, exist_ok=True)
    for index in bar(range(count), label=f"generating {count} circuits"):
        made = generate.item(seed, index, components=components)
        (out / f"{index:06d}.cir").write_text(netlist.format(made.circuit) + "\n", encoding="utf-8")
        if style is not None:
            (out / f"{index:06d}.png").write_bytes(draw.image(made.circuit, made.placement, style=style, seed=index))


if __name__ == "__main__":
    app()
