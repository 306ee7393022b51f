"""Does each line get its answer, and does none of them end the conversation?"""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from circuitvlm.circuit import netlist
from circuitvlm.circuit.graph import Circuit
from circuitvlm.core.record import Picture
from circuitvlm.serving import model_command
from circuitvlm.serving.command import app

DIVIDER = "V1 in 0 10\nR1 in out 1k\nC1 out 0 1u"


class Fake:
    """Says what it was told to, and counts how often it is asked for the netlist."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.asked = 0
        self.seen: list[str] = []

    def netlist(self, picture: Picture) -> str:
        self.asked += 1
        self.seen.append(picture.path.name)
        return self.text

    def read(self, text: str) -> Circuit | None:
        try:
            return netlist.parse(text)
        except netlist.NetlistError:
            return None

    def reply(self, picture: Picture, question: str) -> str:
        return f"\x1b[2J{question}? 42"


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "circuit.png"
    Image.new("L", (64, 48), 255).save(path)
    return path


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    made = Fake(DIVIDER)
    monkeypatch.setattr(model_command, "_respondent", lambda *words, **named: made)
    return made


def talk(picture: Path, *lines: str) -> Result:
    return CliRunner().invoke(app, ["chat", str(picture)], input="\n".join(lines) + "\n")


def test_a_line_is_a_question_and_its_answer_cannot_command_the_terminal(fake: Fake, picture: Path) -> None:
    done = talk(picture, "what is V(out)", "", "   ")
    assert done.exit_code == 0
    assert done.stdout == "\N{REPLACEMENT CHARACTER}[2Jwhat is V(out)? 42\n"
    assert fake.asked == 0


def test_commands_say_what_follows_from_the_netlist_which_is_asked_for_once(fake: Fake, picture: Path) -> None:
    done = talk(picture, "/netlist", "/solve", "/solve 1k", "/tf V1 C1", "/help")
    assert done.exit_code == 0
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["R1", "in", "out", "1k"] in rows
    assert ["out", "10"] in rows
    assert "at 1000 Hz" in done.stdout
    assert "H(s) = 1/(C1*R1*s + 1)" in done.stdout
    assert "/quit" in done.stdout
    assert fake.asked == 1


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("/solve fast", "not a number"),
        ("/solve -5", "frequency"),
        ("/tf", "source and an output"),
        ("/tf V7 C1", "no independent source 'V7'"),
        ("/tf V1 nowhere", "no device and no node"),
        ("/draw", "wants a file"),
        ("/draw no/such/folder/a.png", "No such file"),
        ("/image gone.png", "gone.png"),
        ("/slove", "Did you mean 'solve'?"),
    ],
)
def test_what_goes_wrong_is_told_and_the_next_line_is_read(line: str, said: str, fake: Fake, picture: Path) -> None:
    done = talk(picture, line, "/netlist")
    assert done.exit_code == 0, done.stderr
    assert said in done.stdout.splitlines()[0]
    assert "R1 in out 1k" in done.stdout


def test_quit_ends_and_so_does_the_end_of_the_input(fake: Fake, picture: Path) -> None:
    done = talk(picture, "/quit", "/netlist")
    assert (done.exit_code, done.stdout, fake.asked) == (0, "", 0)
    assert CliRunner().invoke(app, ["chat", str(picture)], input="").exit_code == 0


def test_draw_writes_both_pictures_and_image_asks_anew(fake: Fake, picture: Path, tmp_path: Path) -> None:
    other = tmp_path / "other one.png"
    Image.new("RGB", (30, 30), "red").save(other)
    out = tmp_path / "drawn.png"
    done = talk(picture, f"/draw {out}", f"/image {other}", "/netlist")
    assert done.exit_code == 0
    assert Image.open(out).width > Image.open(out).height
    assert fake.seen == ["circuit.png", "other one.png"]


def test_a_reply_that_is_no_netlist_is_shown(fake: Fake, picture: Path, tmp_path: Path) -> None:
    fake.text = "I see a cat."
    out = tmp_path / "drawn.png"
    done = talk(picture, "/netlist", "/solve", f"/draw {out}")
    assert done.exit_code == 0
    assert done.stdout.count("I see a cat.") >= 2
    assert out.is_file()


def test_an_image_that_is_not_there_ends_with_2(fake: Fake, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["chat", str(tmp_path / "gone.png")], input="/netlist\n")
    assert done.exit_code == 2
    assert "gone.png" in done.stderr
