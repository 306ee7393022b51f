"""Prepare text of models, data sets and errors for a terminal."""

from __future__ import annotations

import json
from collections.abc import Callable

import typer

from circuitvlm.runtime.terminal import sanitize

OnText = Callable[[str], object]
"""Called with each new chunk of a growing text."""


def echo(text: str = "", *, end_line: bool = True, to_stderr: bool = False) -> None:
    """Print text on standard output, or on standard error, without characters that a terminal could execute."""
    typer.echo(sanitize(text), nl=end_line, err=to_stderr)


def escape(text: str) -> str:
    """The text on one line: each character that cannot be printed becomes its JSON escape."""
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


def indent(text: str) -> str:
    """The sanitized text with two spaces before each line."""
    return "\n".join(f"  {line}" for line in sanitize(text).splitlines())


def error_text(error: Exception) -> str:
    """The message of an error, without the quotation marks that `str` adds to that of a KeyError."""
    return str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
