"""Check that no text reaches a terminal, a log or a progress bar with characters that it could execute."""

from __future__ import annotations

import ast
import io
import logging
import sys
from pathlib import Path

import pytest

from circuitvlm.runtime import progress

SOURCE = Path(__file__).parents[2] / "src" / "circuitvlm"
ATTACK = "a\x1b[2J\x9b31m\r\u202e\u200b\ud800[red]z"
SHOWN = "a\ufffd[2J\ufffd31m\ufffd\ufffd\ufffd\ufffd[red]z"


def test_tracebacks_have_no_control_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        progress.setup_logging()
        sys.excepthook(ValueError, ValueError(ATTACK), None)
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        logging.captureWarnings(False)
    assert stream.getvalue() == f"ValueError: {SHOWN}\n"


def test_a_progress_bar_shows_its_label_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("COLUMNS", "200")
    list(progress.bar([1], label=ATTACK))
    assert SHOWN in stream.getvalue()


def test_every_output_goes_through_echo() -> None:
    """No module prints by itself, except the help page and the bytes of an image."""
    calls = {
        (path.relative_to(SOURCE).as_posix(), ast.unparse(node.func))
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in ("print", "typer.echo", "typer.secho", "click.echo", "sys.stdout.write")
    }
    assert calls == {
        ("serving/text.py", "typer.echo"),
        ("serving/cli/app.py", "typer.echo"),
        ("runtime/help_page.py", "sys.stdout.write"),
    }
