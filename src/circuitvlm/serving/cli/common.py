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

CP1252 = "Windows-1252"
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


Strict = Annotated[
    bool, typer.Option("--strict", help="Refuse a netlist with lines or words that are not read, instead of a warning.")
]


def read_circuit(file: Path, *, strict: bool, is_reply: bool = False) -> Circuit:
    """The circuit in a netlist file or in standard input; what is not read of it is printed on standard error.

    A text in one line, a text with a code block, and the reply of a model are read by `netlist.parse`, all others by
    `netlist.parse_deck`. Raises ValueError with the name of the file, also where `strict` and not all is read; OSError.
    """
    if file == DASH:
        if sys.stdin.isatty():
            echo("reading a netlist from the terminal; Ctrl-D ends it", to_stderr=True)
        data, name = sys.stdin.buffer.read(), "standard input"
    else:
        data, name = file.read_bytes(), str(file)
    text, encoding = _decode(data)
    is_reply = is_reply or "```" in text or sum(1 for line in text.splitlines() if line.strip()) < 2
    try:
        circuit = netlist.parse(text) if is_reply else netlist.parse_deck(text)
    except netlist.NetlistError as error:
        raise ValueError(f"{name}: {error}") from error
    remarks = [*([f"read as {encoding}"] if encoding == CP1252 else []), *circuit.remarks]
    if strict and remarks:
        raise ValueError(f"{name}: expected a netlist that is read whole, got:\n  " + "\n  ".join(remarks))
    for remark in remarks:
        print_error(f"{name}: {remark}")
    return circuit


def _decode(data: bytes) -> tuple[str, str]:
    """The text of a file and its encoding: UTF-8, UTF-16 (with or without a mark), or else Windows-1252."""
    start = data[:200]
    encodings = {"UTF-8": "utf-8-sig", CP1252: "cp1252"}
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = {"UTF-16": "utf-16"}
    elif len(start) > 3 and not any(start[1::2]):
        encodings = {"UTF-16": "utf-16-le"}
    elif len(start) > 3 and not any(start[::2]):
        encodings = {"UTF-16": "utf-16-be"}
    for name, codec in encodings.items():
        try:
            return data.decode(codec), name
        except UnicodeDecodeError:
            continue
    raise ValueError(f"expected text in {', '.join(encodings)}, got {start[:20]!r}")


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
