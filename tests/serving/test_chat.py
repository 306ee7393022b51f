"""Test the command chat: its lines, its commands, several models, and streamed replies."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console
from typer.testing import CliRunner, Result

from circuitvlm.core.record import Picture
from circuitvlm.serving.cli import model as model_command
from circuitvlm.serving.cli.app import app
from circuitvlm.serving.cli.columns import print_columns
from circuitvlm.serving.cut_reply import CutReplyError
from circuitvlm.serving.streaming import OnText, ReplyStream
from circuitvlm.task.netlist import Netlist

DIVIDER = "V1 in 0 10\nR1 in out 1k\nC1 out 0 1u"


class Fake:
    """A predictor with a given netlist, which counts how often it is asked for the netlist."""

    netlist_task = Netlist(prompt="?", metrics={})

    def __init__(self, text: str, number: int = 42) -> None:
        self.text = text
        self.number = number
        self.netlist_requests = 0
        self.image_names: list[str] = []

    def predict_netlist(self, picture: Picture | None) -> str:
        assert picture is not None
        self.netlist_requests += 1
        self.image_names.append(picture.path.name)
        return self.text

    def answer_question(self, picture: Picture | None, question: str, *, on_text: OnText) -> str:
        for chunk in ("\x1b[2J", f"{question}?", f" {self.number}{'' if picture else ' unseen'}"):
            on_text(chunk)
        return f"\x1b[2J{question}? {self.number}"

    def run_task(
        self, name: str, picture: Picture | None, *, question: str | None, options: Sequence[str], on_text: OnText
    ) -> str:
        if name != "choice":
            raise ValueError(f"no task {name!r}")
        on_text(f"{question}: {options[self.number % len(options)]}")
        return ""


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "circuit.png"
    Image.new("L", (64, 48), 255).save(path)
    return path


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    predictor = Fake(DIVIDER)
    monkeypatch.setattr(model_command, "load_predictor", lambda *names, **options: predictor)
    return predictor


def talk(picture: Path, *lines: str) -> Result:
    return CliRunner().invoke(app, ["chat", str(picture)], input="\n".join(lines) + "\n")


def test_a_line_is_a_question_and_its_answer_cannot_command_the_terminal(fake: Fake, picture: Path) -> None:
    result = talk(picture, "what is V(out)", "", "   ")
    assert result.exit_code == 0
    assert result.stdout == "\N{REPLACEMENT CHARACTER}[2Jwhat is V(out)? 42\n"
    assert fake.netlist_requests == 0


def test_commands_say_what_follows_from_the_netlist_which_is_asked_for_once(fake: Fake, picture: Path) -> None:
    result = talk(picture, "/netlist", "/solve", "/solve 1k", "/tf V1 C1", "/help")
    assert result.exit_code == 0
    rows = [line.split() for line in result.stdout.splitlines()]
    assert ["R1", "in", "out", "1k"] in rows
    assert ["out", "10"] in rows
    assert "at 1000 Hz" in result.stdout
    assert "H(s) = 1/(C1*R1*s + 1)" in result.stdout
    assert "/quit" in result.stdout
    assert fake.netlist_requests == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("/solve fast", "expected a number"),
        ("/solve -5", "frequency"),
        ("/tf", "source and an output"),
        ("/tf V7 C1", "no independent source 'V7'"),
        ("/tf V1 nowhere", "no device and no node"),
        ("/draw", "expected a file"),
        ("/draw no/such/folder/a.png", "No such file"),
        ("/image gone.png", "gone.png"),
        ("/task", "expected the name of a task"),
        ("/task sing", "no task 'sing'"),
        ("/slove", "Did you mean 'solve'?"),
    ],
)
def test_what_goes_wrong_is_told_and_the_next_line_is_read(line: str, message: str, fake: Fake, picture: Path) -> None:
    result = talk(picture, line, "/netlist")
    assert result.exit_code == 0, result.stderr
    assert message in result.stdout.splitlines()[0]
    assert "R1 in out 1k" in result.stdout


def test_quit_ends_and_so_does_the_end_of_the_input(fake: Fake, picture: Path) -> None:
    result = talk(picture, "/quit", "/netlist")
    assert (result.exit_code, result.stdout, fake.netlist_requests) == (0, "", 0)
    assert CliRunner().invoke(app, ["chat", str(picture)], input="").exit_code == 0


def test_draw_writes_both_pictures_and_image_asks_anew(fake: Fake, picture: Path, tmp_path: Path) -> None:
    other_image = tmp_path / "other one.png"
    Image.new("RGB", (30, 30), "red").save(other_image)
    file = tmp_path / "drawn.png"
    result = talk(picture, f"/draw {file}", f"/image {other_image}", "/netlist")
    assert result.exit_code == 0
    assert Image.open(file).width > Image.open(file).height
    assert fake.image_names == ["circuit.png", "other one.png"]


def test_a_reply_that_is_no_netlist_is_shown(fake: Fake, picture: Path, tmp_path: Path) -> None:
    fake.text = "I see a cat."
    file = tmp_path / "drawn.png"
    result = talk(picture, "/netlist", "/solve", f"/draw {file}")
    assert result.exit_code == 0
    assert result.stdout.count("I see a cat.") >= 2
    assert file.is_file()


def test_an_image_that_is_not_there_ends_with_2(fake: Fake, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["chat", str(tmp_path / "gone.png")], input="/netlist\n")
    assert result.exit_code == 2
    assert "gone.png" in result.stderr


# ---------------------------------------------------------------------------------------- without an image, and several


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Two runs' folders, whose models say 0 and 1."""
    folders = [tmp_path / "cosine" / "plain-1", tmp_path / "cyclical" / "plain-1"]
    for folder in folders:
        folder.mkdir(parents=True)
    predictors = {str(folder): Fake(DIVIDER, number) for number, folder in enumerate(folders)}
    monkeypatch.setattr(model_command, "load_predictor", lambda model, adapter, **options: predictors[model])
    return list(predictors)


def chat(*words: str, lines: Sequence[str]) -> Result:
    return CliRunner().invoke(app, ["chat", *words], input="\n".join(lines) + "\n")


def test_without_an_image_a_question_is_asked_and_a_netlist_is_not(fake: Fake, picture: Path) -> None:
    result = chat(lines=["why", "/netlist", f"/image {picture}", "why", "/image", "why"])
    assert result.exit_code == 0
    answers = [line for line in result.stdout.splitlines() if "why?" in line]
    assert [answer.endswith("unseen") for answer in answers] == [True, False, True]
    assert "error: expected an image, got none" in result.stdout
    assert fake.netlist_requests == 0


def test_a_task_is_asked_by_name_with_its_question_and_options(fake: Fake) -> None:
    result = chat(lines=["/task choice Which one? | this | that"])
    assert result.stdout == "Which one?: this\n"


@pytest.mark.parametrize("spelling", ["{}", "run={}"])
def test_two_variants_answer_each_line_under_their_names(spelling: str, two: list[str], picture: Path) -> None:
    result = chat(
        *(spelling.format(run) for run in two), str(picture), lines=["why", "/task choice W | a | b", "/netlist"]
    )
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[:4] == ["== cosine/plain-1", "\ufffd[2Jwhy? 0", "== cyclical/plain-1", "\ufffd[2Jwhy? 1"]
    assert lines[4:8] == ["== cosine/plain-1", "W: a", "== cyclical/plain-1", "W: b"]
    assert result.stdout.count("R1 in out 1k") == 2


def test_two_variants_answer_without_an_image(two: list[str]) -> None:
    result = chat(*two, lines=["why", "/solve"])
    assert [line for line in result.stdout.splitlines() if "why" in line] == [
        "\ufffd[2Jwhy? 0 unseen",
        "\ufffd[2Jwhy? 1 unseen",
    ]
    assert result.stdout.count("error: expected an image, got none") == 2


def test_two_variants_draw_two_files(two: list[str], picture: Path, tmp_path: Path) -> None:
    result = chat(*two, f"image={picture}", lines=[f"/draw {tmp_path / 'd.png'}"])
    assert result.exit_code == 0
    assert sorted(path.name for path in tmp_path.glob("d*.png")) == ["d-1.png", "d-2.png"]


def test_what_one_variant_cannot_do_the_other_does(two: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(self: Fake, picture: Picture | None, question: str, *, on_text: OnText) -> str:
        if self.number == 0:
            raise ValueError("too long")
        on_text("fine")
        return "fine"

    monkeypatch.setattr(Fake, "answer_question", refuses)
    assert chat(*two, lines=["why"]).stdout.splitlines()[1::2] == ["error: too long", "fine"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.png", "b.png"], "a.png and b.png"),
        (["run=x", "run=x"], "x twice"),
        (["run=x", "--adapter", "y"], "--adapter: expected it without runs, got y"),
    ],
)
def test_words_that_do_not_go_together_are_refused_before_a_model_is_loaded(
    words: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_command, "load_predictor", None)
    result = chat(*words, lines=["why"])
    assert result.exit_code == 2
    assert message in result.stderr


def test_the_model_option_is_the_base_of_every_run(two: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    bases = []

    def load_predictor(model: str | None, adapter: str | None, **options: object) -> Fake:
        bases.append((model, adapter))
        return Fake(DIVIDER)

    monkeypatch.setattr(model_command, "load_predictor", load_predictor)
    assert chat(*two, "--model", "base", lines=[]).exit_code == 0
    assert bases == [("base", run) for run in two]


def test_on_a_terminal_the_replies_stand_in_columns() -> None:
    page = io.StringIO()

    def first(on_text: OnText) -> None:
        on_text("left\x1b[2J")
        on_text(" side")

    def second(on_text: OnText) -> None:
        on_text("right [b]side[/b]")
        raise ValueError("tired")

    print_columns({"A": first, "B [red]": second}, console=Console(file=page, width=80))
    rows = [line for line in page.getvalue().splitlines() if "left" in line]
    assert "left\ufffd[2J side" in rows[-1]
    assert "right [b]side[/b]" in rows[-1]
    assert "B [red]" in page.getvalue()
    assert "tired" in page.getvalue()


def test_a_stream_waits_for_whole_characters_and_ends_with_the_whole_text() -> None:
    chunks: list[str] = []
    stream = ReplyStream(chunks.append)
    for text in ("R", "R = 3 \ufffd", "R = 3 \u03a9", "R = 3 \u03a9"):
        stream.update(text)
    stream.finish("R = 3 \u03a9.")
    assert chunks == ["R", " = 3 ", "\u03a9", "."]
    stream.finish("I = 2")
    assert chunks[4:] == ["\n", "I = 2"]


def test_a_netlist_that_was_cut_is_an_error_each_time_and_is_generated_once(
    fake: Fake, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(self: Fake, picture: Picture | None) -> str:
        self.netlist_requests += 1
        raise CutReplyError("V1 1 0 1", max_new_tokens=8)

    monkeypatch.setattr(Fake, "predict_netlist", cut)
    result = CliRunner().invoke(app, ["chat", str(picture)], input="/netlist\n/solve\n")
    assert result.stdout.count("error: expected a reply that ends within max_new_tokens=8") == 2
    assert fake.netlist_requests == 1
