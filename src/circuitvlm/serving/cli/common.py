"""Define the options, the input and the error handling that several commands share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from circuitvlm.circuit import netlist
from circuitvlm.circuit.graph import Circuit
from circuitvlm.circuit.quantity import parse_spice
from circuitvlm.serving.text import echo

DASH = Path("-")
"""The name of standard input and standard output."""


def parse_frequency(text: str | float) -> float:
    """A frequency in hertz, with or without a SPICE suffix and unit: 1000, 1k, 2.2MegHz."""
    try:
        return parse_spice(str(text))  # typer may pass the default, which is a number
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


NetlistFile = Annotated[
    Path, typer.Argument(metavar="NETLIST", help="A netlist file. Without it, or with -, standard input is read.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Seed = Annotated[int, typer.Option(min=0, help="The same seed gives the same result on every machine.")]
Frequency = Annotated[
    float,
    typer.Option(
        parser=parse_frequency,
        metavar="HZ",
        help="The frequency in hertz, such as 50, 1k or 2.2Meg. 0 is the operating point.",
    ),
]


def read_circuit(file: Path) -> Circuit:
    """The circuit in a netlist file or in standard input. Raises ValueError with the name of the file, and OSError."""
    if file == DASH:
        if sys.stdin.isatty():
            echo("reading a netlist from the terminal; Ctrl-D ends it", to_stderr=True)
        data, name = sys.stdin.buffer.read(), "standard input"
    else:
        data, name = file.read_bytes(), str(file)
    try:
        return netlist.parse(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ValueError(f"{name}: expected UTF-8 text, got another encoding (byte {error.start})") from error
    except netlist.NetlistError as error:
        raise ValueError(f"{name}: {error}") from error


def numbered_path(path: Path, number: int | None) -> Path:
    """The path of one of several files: out-1.png for out.png. Without a number, the path itself."""
    return path if number is None else path.with_name(f"{path.stem}-{number}{path.suffix}")


def print_error(message: str) -> None:
    """Print a message on standard error."""
    echo(f"circuitvlm: {message}", to_stderr=True)


@contextmanager
def exit_on_error() -> Iterator[None]:
    """Print an error of the input on standard error, without a traceback, and exit with code 2."""
    try:
        yield
    except BrokenPipeError:  # the program that reads our output has ended, and typer exits silently
        raise
    except (ValueError, OSError) as error:
        if isinstance(error, OSError) and error.strerror:
            print_error(f"{error.filename}: {error.strerror}")
        else:
            print_error(str(error))
        raise typer.Exit(2) from None
