"""Print the replies of several models while they are generated; on a terminal, in columns."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from circuitvlm.runtime.terminal import sanitize
from circuitvlm.serving.cut_reply import CutReplyError
from circuitvlm.serving.text import OnText, echo, error_text

ReplySource = Callable[[OnText], object]
"""Generates a reply and passes its text on in chunks."""


@contextmanager
def reported_errors(report: Callable[[str], object] = echo) -> Iterator[None]:
    """Report the message of an error in a user's request, and go on after the block."""
    try:
        yield
    except (ValueError, KeyError, OSError) as error:
        report(f"error: {error_text(error)}")


def run_each(names: Collection[str], function: Callable[[str], object]) -> None:
    """Call the function with each name and report its errors. Several names are printed as titles."""
    for name in names:
        if len(names) > 1:
            echo(f"== {name}")
        with reported_errors():
            function(name)


def print_replies(sources: Mapping[str, ReplySource]) -> None:
    """Print the reply of each source, one after the other; on a terminal, several sources in columns."""

    def print_reply(name: str) -> None:
        try:
            sources[name](partial(echo, end_line=False))
        except CutReplyError:
            echo()  # the error begins a line of its own
            raise
        echo()

    if len(sources) > 1 and sys.stdout.isatty():
        print_columns(sources, console=Console())
    else:
        run_each(sources, print_reply)


def print_columns(sources: Mapping[str, ReplySource], *, console: Console) -> None:
    """Print the replies in columns, each with the name of its source."""
    replies = dict.fromkeys(sources, "")
    with Live(_table(replies), console=console, refresh_per_second=8, vertical_overflow="visible") as live:
        for name, source in sources.items():

            def append(text: str, name: str = name) -> None:
                replies[name] += sanitize(text)
                live.update(_table(replies))

            def append_line(text: str, name: str = name) -> None:
                append(f"\n{text}" if replies[name] else text, name)

            with reported_errors(append_line):
                source(append)


def _table(replies: Mapping[str, str]) -> Table:
    table = Table(expand=True)
    for name in replies:
        table.add_column(Text(sanitize(name)), ratio=1, overflow="fold")
    table.add_row(*map(Text, replies.values()))
    return table
