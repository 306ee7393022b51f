"""Does each line get its answer, and does none of them end the conversation?"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console
from typer.testing import CliRunner, Result

from circuitvlm.circuit import netlist
from circuitvlm.circuit.graph import Circuit
from circuitvlm.core.record import Picture
from circuitvlm.serving.cli import model as model_command
from circuitvlm.serving.cli.app import app
from circuitvlm.serving.cli.columns import in_columns
from circuitvlm.serving.pieces import Hear, Pieces

DIVIDER = "V1 in 0 10\nR1 in out 1k\nC1 out 0 1u"


class Fake:
    """Says what it was told to, and counts how often it is asked for the netlist."""

    def __init__(self, text: str, number: int = 42) -> None:
        self.text = text
        self.number = number
        self.asked = 0
        self.seen: list[str] = []

    def netlist(self, picture: Picture | None) -> str:
        assert picture is not None
        self.asked += 1
        self.seen.append(picture.path.name)
        return self.text

    def read(self, text: str) -> Circuit | None:
        try:
            return netlist.parse(text)
        except netlist.NetlistError:
            return None

    def reply(self, picture: Picture | None, question: str, *, hear: Hear | None) -> str:
        assert hear is not None
        for piece in ("\x1b[2J", f"{question}?", f" {self.number}{'' if picture else ' unseen'}"):
            hear(piece)
        return f"\x1b[2J{question}? {self.number}"

    def say(
        self, name: str, picture: Picture | None, *, question: str | None, options: Sequence[str], hear: Hear | None
    ) -> str:
        if name != "choice":
            raise ValueError(f"no task {name!r}")
        assert hear is not None
        hear(f"{question}: {options[self.number % len(options)]}")
        return ""


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "circuit.png"
    Image.new("L", (64, 48), 255).save(path)
    return path


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    made = Fake(DIVIDER)
    monkeypatch.setattr(model_command, "respondent", lambda *words, **named: made)
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
        ("/task", "wants a task's name"),
        ("/task sing", "no task 'sing'"),
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


# ---------------------------------------------------------------------------------------- without an image, and several


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Two runs' folders, whose models say 0 and 1."""
    folders = [tmp_path / "cosine" / "plain-1", tmp_path / "cyclical" / "plain-1"]
    for folder in folders:
        folder.mkdir(parents=True)
    made = {str(folder): Fake(DIVIDER, number) for number, folder in enumerate(folders)}
    monkeypatch.setattr(model_command, "respondent", lambda model, adapter, **named: made[model])
    return list(made)


def said(*words: str, lines: Sequence[str]) -> Result:
    return CliRunner().invoke(app, ["chat", *words], input="\n".join(lines) + "\n")


def test_without_an_image_a_question_is_asked_and_a_netlist_is_not(fake: Fake, picture: Path) -> None:
    done = said(lines=["why", "/netlist", f"/image {picture}", "why", "/image", "why"])
    assert done.exit_code == 0
    answers = [line for line in done.stdout.splitlines() if "why?" in line]
    assert [answer.endswith("unseen") for answer in answers] == [True, False, True]
    assert "cannot: there is no image" in done.stdout
    assert fake.asked == 0


def test_a_task_is_asked_by_name_with_its_question_and_options(fake: Fake) -> None:
    done = said(lines=["/task choice Which one? | this | that"])
    assert done.stdout == "Which one?: this\n"


@pytest.mark.parametrize("spelled", ["{}", "run={}"])
def test_two_variants_answer_each_line_under_their_names(spelled: str, two: list[str], picture: Path) -> None:
    done = said(
        *(spelled.format(run) for run in two), str(picture), lines=["why", "/task choice W | a | b", "/netlist"]
    )
    assert done.exit_code == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[:4] == ["== cosine/plain-1", "\ufffd[2Jwhy? 0", "== cyclical/plain-1", "\ufffd[2Jwhy? 1"]
    assert lines[4:8] == ["== cosine/plain-1", "W: a", "== cyclical/plain-1", "W: b"]
    assert done.stdout.count("R1 in out 1k") == 2


def test_two_variants_answer_without_an_image(two: list[str]) -> None:
    done = said(*two, lines=["why", "/solve"])
    assert [line for line in done.stdout.splitlines() if "why" in line] == [
        "\ufffd[2Jwhy? 0 unseen",
        "\ufffd[2Jwhy? 1 unseen",
    ]
    assert done.stdout.count("cannot: there is no image") == 2


def test_two_variants_draw_two_files(two: list[str], picture: Path, tmp_path: Path) -> None:
    done = said(*two, f"image={picture}", lines=[f"/draw {tmp_path / 'd.png'}"])
    assert done.exit_code == 0
    assert sorted(path.name for path in tmp_path.glob("d*.png")) == ["d-1.png", "d-2.png"]


def test_what_one_variant_cannot_do_the_other_does(two: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(self: Fake, picture: Picture | None, question: str, *, hear: Hear) -> str:
        if self.number == 0:
            raise ValueError("too long")
        hear("fine")
        return "fine"

    monkeypatch.setattr(Fake, "reply", refuses)
    assert said(*two, lines=["why"]).stdout.splitlines()[1::2] == ["cannot: too long", "fine"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["a.png", "b.png"], "a.png and b.png"),
        (["run=x", "run=x"], "x twice"),
        (["run=x", "--adapter", "y"], "--adapter y"),
    ],
)
def test_words_that_do_not_go_together_are_refused_before_a_model_is_loaded(
    words: list[str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_command, "respondent", None)
    done = said(*words, lines=["why"])
    assert done.exit_code == 2
    assert told in done.stderr


def test_the_model_option_is_the_base_of_every_run(two: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def respondent(model: str | None, adapter: str | None, **named: object) -> Fake:
        asked.append((model, adapter))
        return Fake(DIVIDER)

    monkeypatch.setattr(model_command, "respondent", respondent)
    assert said(*two, "--model", "base", lines=[]).exit_code == 0
    assert asked == [("base", run) for run in two]


def test_on_a_terminal_the_replies_stand_in_columns() -> None:
    page = io.StringIO()

    def one(hear: Hear) -> None:
        hear("left\x1b[2J")
        hear(" side")

    def other(hear: Hear) -> None:
        hear("right [b]side[/b]")
        raise ValueError("tired")

    in_columns({"A": one, "B [red]": other}, console=Console(file=page, width=80))
    rows = [line for line in page.getvalue().splitlines() if "left" in line]
    assert "left\ufffd[2J side" in rows[-1]
    assert "right [b]side[/b]" in rows[-1]
    assert "B [red]" in page.getvalue()
    assert "tired" in page.getvalue()


def test_pieces_wait_for_whole_characters_and_end_with_the_whole_text() -> None:
    heard: list[str] = []
    pieces = Pieces(heard.append)
    for text in ("R", "R = 3 \ufffd", "R = 3 \u03a9", "R = 3 \u03a9"):
        pieces.so_far(text)
    pieces.end("R = 3 \u03a9.")
    assert heard == ["R", " = 3 ", "\u03a9", "."]
    pieces.end("I = 2")
    assert heard[4:] == ["\n", "I = 2"]
