"""Check that a progress bar yields every item, and that log lines stay readable."""

from __future__ import annotations

import logging
import sys

import pytest

from circuitvlm.runtime import progress


@pytest.fixture(autouse=True)
def _no_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "SLURM_PROCID", "LOCAL_RANK", "NODE_RANK"):
        monkeypatch.delenv(name, raising=False)


def test_without_a_terminal_lines_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert list(progress.bar(range(5), label="grading", every=0.0)) == [0, 1, 2, 3, 4]
    assert "grading: 3 of 5" in caplog.text
    assert "grading: 5 of 5, done" in caplog.text


def test_lines_come_seldom(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert len(list(progress.bar(iter(range(1000)), total=None, label="x"))) == 1000
    assert len(caplog.records) == 1


def test_on_a_terminal_a_bar_is_drawn(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert list(progress.bar([1, 2, 3], label="drawing")) == [1, 2, 3]
    assert "drawing" in capsys.readouterr().err


def test_other_ranks_are_silent(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("LOCAL_RANK", "1")
    caplog.set_level(logging.INFO)
    assert list(progress.bar([1, 2], label="x", every=0.0)) == [1, 2]
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("env", "rank"),
    [
        ({}, 0),
        ({"RANK": "3"}, 3),
        ({"RANK": "0", "LOCAL_RANK": "2"}, 0),
        ({"LOCAL_RANK": "2"}, 2),
        ({"SLURM_PROCID": "5"}, 5),
    ],
)
def test_the_rank_is_read_from_the_environment(env: dict[str, str], rank: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert progress.rank() == rank


def test_another_node_is_not_rank_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NODE_RANK", "1")
    monkeypatch.setenv("LOCAL_RANK", "0")
    assert progress.rank() != 0


def test_setup_is_harmless_to_repeat_and_takes_hydras_handler_away() -> None:
    root = logging.getLogger()
    root.addHandler(logging.StreamHandler())
    for _ in range(3):
        progress.setup_logging()
    handlers = [handler for handler in root.handlers if handler.name == "circuitvlm"]
    assert len(handlers) == 1
    assert [handler for handler in root.handlers if type(handler) is logging.StreamHandler] == handlers
    assert root.level == logging.INFO


def test_after_a_test_that_set_it_up_no_test_hears_more() -> None:
    """The tests' own promise, kept by tests/conftest.py: the test before this one has set it up."""
    assert logging.getLogger().level == logging.WARNING
    assert not [handler for handler in logging.getLogger().handlers if handler.name == "circuitvlm"]


def test_other_ranks_tell_warnings_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    progress.setup_logging()
    assert logging.getLogger().level == logging.WARNING


def test_a_log_line_has_no_character_that_a_terminal_could_execute(capsys: pytest.CaptureFixture[str]) -> None:
    """Names and replies stand in messages; tables keep their lines."""
    progress.setup_logging()
    logging.getLogger("circuitvlm.test").warning("%s\n| table |", "\x1b]0;owned\x07\u202ename\u200b")
    text = capsys.readouterr().err
    assert "name\ufffd\n| table |" in text
    assert not set("\x1b\x07\u202e\u200b") & set(text)
