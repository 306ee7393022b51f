"""What do the commands of the shell share? The words that several of them take, and how they tell what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from circuitvlm.circuit.quantity import parse_spice


class Precision(StrEnum):
    """What exported weights are written in."""

    BFLOAT16 = "bfloat16"
    FLOAT32 = "float32"


def hertz(text: str | float) -> float:
    """A frequency, with or without a SPICE suffix and unit: 1000, 1k, 2.2MegHz."""
    try:
        return parse_spice(str(text))  # typer may send the default, a number, through here too
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


Frequency = Annotated[
    float, typer.Option(parser=hertz, metavar="HZ", help="0 is the operating point; 1k and 2.2Meg are understood.")
]


def numbered(path: Path, number: int | None) -> Path:
    """One of several files: out-1.png for out.png. Without a number, the path itself."""
    return path if number is None else path.with_name(f"{path.stem}-{number}{path.suffix}")


@contextmanager
def told() -> Iterator[None]:
    """Whatever is wrong with the input is told on standard error, without a traceback, and exits with 2."""
    try:
        yield
    except BrokenPipeError:  # the reader has gone; typer ends quietly
        raise
    except (ValueError, OSError) as error:
        said = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.strerror else str(error)
        typer.echo(f"circuitvlm: {said}", err=True)
        raise typer.Exit(2) from None
