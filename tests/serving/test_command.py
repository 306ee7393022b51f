"""Test the circuit tools of the command line, on files and on standard input, and their errors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from circuitvlm.circuit import netlist
from circuitvlm.serving import display
from circuitvlm.serving.cli.app import app

DIVIDER = "V1 1 0 10\nR1 1 2 1k\nR2 2 0 4k\n"
LOWPASS = "V1 in 0 AC 2\nR1 in out 1k\nC1 out 0 159.154943n\n"


def call(*words: str, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(app, list(words), input=stdin)


@pytest.fixture
def divider(tmp_path: Path) -> Path:
    path = tmp_path / "divider.cir"
    path.write_text(DIVIDER)
    return path


def test_nothing_heavy_is_imported_for_a_help_text() -> None:
    code = "import sys, circuitvlm.serving.cli.app; print([m for m in ('torch', 'lightning', 'transformers', 'hydra', "
    code += "'matplotlib', 'schemdraw') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize("command", ["draw", "solve", "compare", "generate", "format", "deck", "export"])
def test_each_command_explains_itself_with_an_example(command: str) -> None:
    result = call(command, "--help")
    assert result.exit_code == 0
    assert f"circuitvlm {command}" in result.stdout
    assert command in call("--help").stdout


# draw -----------------------------------------------------------------------------------------------------------------


def test_draw_writes_what_the_name_says(divider: Path, tmp_path: Path) -> None:
    png, svg = tmp_path / "a.png", tmp_path / "a.svg"
    assert call("draw", str(divider), "--out", str(png), "--width", "300", "--height", "200").exit_code == 0
    assert Image.open(png).size == (300, 200)
    assert call("draw", str(divider), "--out", str(svg), "--style", "iec").exit_code == 0
    assert svg.read_text().startswith("<svg")


def test_draw_goes_through_a_pipe_and_is_the_same_for_the_same_seed(divider: Path) -> None:
    first = call("draw", "--seed", "3", stdin=DIVIDER)
    assert first.exit_code == 0
    assert first.stdout_bytes.startswith(b"\x89PNG")
    assert first.stdout_bytes == call("draw", str(divider), "--seed", "3").stdout_bytes
    assert call("draw", "-", "--format", "svg", stdin=DIVIDER).stdout.startswith("<svg")


def test_draw_keeps_a_png_off_the_terminal(divider: Path) -> None:
    pty = pytest.importorskip("pty", reason="a pseudo-terminal is needed")
    reader, writer = pty.openpty()
    code = "from circuitvlm.serving.cli.app import app; app()"
    command = [sys.executable, "-c", code, "draw", str(divider)]
    result = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    assert result.returncode == 2
    assert "got a terminal" in result.stderr
    for end in (reader, writer):
        os.close(end)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--out", "a.gif"], ".png or .svg"),
        (["--style", "baroque"], "american"),
        (["--out", "nowhere/at/all.png"], "nowhere/at/all.png"),
    ],
)
def test_draw_says_what_is_wrong(words: list[str], message: str, divider: Path) -> None:
    result = call("draw", str(divider), *words)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr


# solve ----------------------------------------------------------------------------------------------------------------


def test_solve_prints_voltages_currents_and_powers(divider: Path) -> None:
    result = call("solve", str(divider))
    assert result.exit_code == 0
    rows = [line.split() for line in result.stdout.splitlines() if line]
    assert ["2", "8"] in rows
    assert ["R2", "8", "2m", "16m"] in rows
    assert ["V1", "10", "-2m", "-20m"] in rows


def test_solve_gives_magnitude_and_phase_at_a_frequency() -> None:
    result = call("solve", "--frequency", "1k", "--json", stdin=LOWPASS)
    assert result.exit_code == 0, result.stderr
    body = json.loads(result.stdout)
    assert body["frequency"] == 1000.0
    assert body["nodes"]["out"]["magnitude"] == pytest.approx(2**0.5, rel=1e-6)
    assert body["nodes"]["out"]["phase_degrees"] == pytest.approx(-45, abs=1e-4)
    assert body["devices"]["C1"]["power"]["real"] == pytest.approx(0, abs=1e-12)
    table = call("solve", "--frequency", "1000Hz", stdin=LOWPASS).stdout
    assert ["out", "1.41421", "-45.00"] in [line.split() for line in table.splitlines()]
    powers = [body["devices"][name]["power"]["real"] for name in ("V1", "R1", "C1")]
    assert sum(powers) == pytest.approx(0, abs=1e-12)


def test_solve_json_at_dc(divider: Path) -> None:
    body = json.loads(call("solve", str(divider), "--json").stdout)
    assert body["nodes"] == {"1": pytest.approx(10), "2": pytest.approx(8)}
    assert body["devices"]["R1"] == {
        "voltage": pytest.approx(2),
        "current": pytest.approx(2e-3),
        "power": pytest.approx(4e-3),
    }


MICRO = "Filter\nV1 1 0 5\nR1 1 0 1\u00b5\n.end\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_a_netlist_is_read_in_the_encodings_of_other_programs(encoding: str) -> None:
    result = call("solve", "--json", stdin=MICRO.encode(encoding))
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["devices"]["R1"]["current"] == pytest.approx(5e6)
    assert ("read as Windows-1252" in result.stderr) == (encoding == "cp1252")


def test_what_is_not_read_is_printed_and_refused_by_strict() -> None:
    text = "t\nV1 1 0 5\nR1 1 0 1k\n.ic v(1)=2\n.op\n.end\n"
    for command in ("solve", "draw", "format", "deck"):
        words = ["--format", "svg"] if command == "draw" else []
        result = call(command, *words, stdin=text)
        assert result.exit_code == 0, result.stderr
        assert result.stderr == "circuitvlm: standard input: line 4: not read: '.ic v(1)=2'\n"
        result = call(command, *words, "--strict", stdin=text)
        assert result.exit_code == 2
        assert "expected a netlist that is read whole" in result.stderr
        assert call(command, *words, "--strict", stdin=text.replace(".ic v(1)=2\n", "")).exit_code == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("hello there", "no device"),
        ("V1 1 0 1\nV2 1 0 2\n", "V1"),
        ("R1 1 2 1k\nV1 1 2 1\n", "ground"),
        ("D1 1 0 mod\nV1 1 0 1\n", "D1"),
        (b"V1 1 0 5\x81", "UTF-8, Windows-1252"),
    ],
)
def test_solve_says_what_is_wrong(text: str | bytes, message: str) -> None:
    result = call("solve", stdin=text)
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.splitlines()) <= 2
    assert result.stdout == ""


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.cir", tmp_path):
        result = call("solve", str(path))
        assert result.exit_code == 2
        assert str(path) in result.stderr
    assert call("solve", "--frequency", "fast", stdin=DIVIDER).exit_code == 2
    assert call("solve", "--frequency", "-5", stdin=DIVIDER).exit_code == 2


# compare --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prediction", "code", "results"),
    [
        ("R2 b 0 4k\nR1 b a 1k\nV1 a 0 10\n", 0, {"topology": True, "values": True}),
        ("V1 1 0 10\nR1 1 2 1k\nR2 2 0 4.1k\n", 1, {"topology": True, "values": False}),
        ("V1 1 0 10\nR1 1 2 1k\nR2 1 0 4k\n", 1, {"topology": False, "values": False}),
    ],
)
def test_compare_answers_by_its_exit_code(
    prediction: str, code: int, results: dict[str, bool], divider: Path, tmp_path: Path
) -> None:
    result = call("compare", "-", str(divider), "--json", stdin=prediction)
    assert result.exit_code == code, result.stderr
    body = json.loads(result.stdout)
    assert results.items() <= body.items()
    assert {"topology", "values", "names", "component_f1", "pin_f1", "undecided"} <= set(body)
    (tmp_path / "predicted.cir").write_text(prediction)
    plain = call("compare", str(tmp_path / "predicted.cir"), str(divider))
    assert plain.exit_code == code
    assert ["values", "yes" if results["values"] else "no"] in [line.split() for line in plain.stdout.splitlines()]


def test_compare_tells_an_unreadable_answer_from_a_wrong_one(divider: Path) -> None:
    result = call("compare", "-", str(divider), stdin="I cannot read this picture.")
    assert result.exit_code == 2
    assert "standard input" in result.stderr
    assert call("compare", "-", "-", stdin=DIVIDER).exit_code == 2
    assert call("compare", str(divider)).exit_code == 2


# generate, format, deck -----------------------------------------------------------------------------------------------


def test_generate_prints_one_circuit_that_can_be_solved() -> None:
    first = call("generate", "--seed", "7", "--components", "4", "4")
    assert first.exit_code == 0
    assert len(netlist.parse(first.stdout).devices) == 4
    assert first.stdout == call("generate", "--seed", "7", "--components", "4", "4").stdout
    assert call("solve", stdin=first.stdout).exit_code == 0


def test_generate_fills_a_folder_once(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    assert call("generate", "--count", "3", "--out", str(folder), "--style", "textbook").exit_code == 0
    assert sorted(file.name for file in folder.iterdir()) == [
        f"00000{k}.{end}" for k in range(3) for end in ("cir", "png")
    ]
    assert len({file.read_text() for file in folder.glob("*.cir")}) == 3
    again = call("generate", "--count", "3", "--out", str(folder))
    assert again.exit_code == 2
    assert "new or empty folder" in again.stderr
    bare = tmp_path / "bare"
    assert call("generate", "--count", "2", "--out", str(bare), "--no-draw").exit_code == 0
    assert [file.suffix for file in bare.iterdir()] == [".cir", ".cir"]
    assert (bare / "000001.cir").read_text() == (folder / "000001.cir").read_text()


@pytest.mark.parametrize(
    "words", [["--count", "2"], ["--components", "5", "3"], ["--components", "3", "40"], ["--seed", "-1"]]
)
def test_generate_says_what_is_wrong(words: list[str]) -> None:
    result = call("generate", *words)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


def test_generate_makes_no_folder_for_a_wrong_style(tmp_path: Path) -> None:
    assert call("generate", "--out", str(tmp_path / "x"), "--style", "baroque").exit_code == 2
    assert not (tmp_path / "x").exists()


def test_format_is_canonical_and_a_fixed_point() -> None:
    result = call("format", stdin="v1 in 0 dc 10 r1 in out 1000 r2 out 0 4k")
    assert result.stdout == DIVIDER
    assert call("format", "-", stdin=result.stdout).stdout == result.stdout
    assert "R1 in out 1k" in call("format", "--keep-names", stdin="v1 in 0 dc 10 r1 in out 1000").stdout


def test_deck_is_whole_and_takes_nothing_over() -> None:
    result = call("deck", stdin=DIVIDER + ".control\nshell echo no\n.endc\n")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert ".op" in lines
    assert lines[-1] == ".end"
    assert "shell" not in result.stdout
    assert any(
        line.startswith(".ac") for line in call("deck", "--frequency", "1Meg", stdin=LOWPASS).stdout.splitlines()
    )


# export (what needs torch is in test_export.py) -----------------------------------------------------------------------


def test_export_says_what_is_no_run(tmp_path: Path) -> None:
    result = call("export", str(tmp_path), str(tmp_path / "out"))
    assert result.exit_code == 2
    assert "config.yaml" in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_table_shows_every_cell_as_it_is(
    is_terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: is_terminal)
    display.print_table(["a\x1b[2J"], [["b\r\n\u202e[red]"]])
    output = capsys.readouterr().out
    assert r"a\u001b[2J" in output
    assert r"b\r\n\u202e[red]" in output
    assert not {"\r", "\u202e"} & set(output)


def test_json_for_a_terminal_has_no_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"a": "\x1b\x9b\x7f\u202e\ud800\nx"}
    display.print_json(value)
    output = capsys.readouterr().out
    assert not {"\x1b", "\x9b", "\x7f", "\u202e", "\ud800"} & set(output)
    assert json.loads(output) == value
