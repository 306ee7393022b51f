"""How do the replies of several models stand side by side while they come?"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from circuitvlm.serving.answer import harmless, reason
from circuitvlm.serving.pieces import Hear

Speaker = Callable[[Hear], object]
"""Says something, piece by piece, to who hears it. What it raises is told in its place."""

FAULTS = (ValueError, KeyError, OSError)
"""What can be wrong with what a person wants of a model."""


def speak(speakers: Mapping[str, Speaker]) -> None:
    """Let them speak, one after the other: on a terminal in columns, which fill as they speak, elsewhere below each
    other, each with its name unless it is the only one."""
    if len(speakers) > 1 and sys.stdout.isatty():
        in_columns(speakers, console=Console())
        return
    for name, speaker in speakers.items():
        if len(speakers) > 1:
            typer.echo(f"== {harmless(name)}")
        try:
            speaker(_say)
            typer.echo()
        except FAULTS as error:
            typer.echo(f"cannot: {harmless(reason(error))}")


def _say(piece: str) -> None:
    typer.echo(harmless(piece), nl=False)


def in_columns(speakers: Mapping[str, Speaker], *, console: Console) -> None:
    said = dict.fromkeys(speakers, "")
    with Live(_table(said), console=console, refresh_per_second=8, vertical_overflow="visible") as live:
        for name, speaker in speakers.items():

            def hear(piece: str, name: str = name) -> None:
                said[name] += harmless(piece)
                live.update(_table(said))

            try:
                speaker(hear)
            except FAULTS as error:
                hear(f"cannot: {reason(error)}")


def _table(said: Mapping[str, str]) -> Table:
    table = Table(expand=True)
    for name in said:
        table.add_column(Text(harmless(name)), ratio=1, overflow="fold")
    table.add_row(*(Text(text) for text in said.values()))
    return table
