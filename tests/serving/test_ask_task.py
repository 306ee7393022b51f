"""Does `ask` give what a task reads, and that alone, on standard output? And does it say what came where that fails?"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from circuitvlm.core.contract import Task
from circuitvlm.core.record import Picture
from circuitvlm.runtime.config.allow_list import instantiate
from circuitvlm.serving import family
from circuitvlm.serving.cli import model
from circuitvlm.serving.cli.app import app
from circuitvlm.serving.respond import Respondent
from circuitvlm.serving.unlabelled import AskError, unlabelled
from circuitvlm.task.extract import Extract
from circuitvlm.task.netlist import Netlist
from tests.contract import rooms, sources

RECEIPT = {"menu": [{"nm": "Café ☕", "price": "60.000"}], "total": {"total_price": "60.000"}}


class Says(Respondent):
    """A respondent without a net, that says what it was told to."""

    def __init__(self, *texts: str, tasks: Mapping[str, Task], main: str | None) -> None:
        self.texts, self.asked = list(texts), list[tuple[str, ...]]()
        self.tasks, self.main = tasks, main
        own = (task for task in tasks.values() if isinstance(task, Netlist))
        self.circuit = next(own, Netlist(prompt="?", metrics={}))

    def _reply(
        self,
        task: Task,
        *,
        name: str,
        pictures: Sequence[Picture],
        hear: object = None,
        question: str | None = None,
        options: Sequence[str] = (),
    ) -> str:
        example = unlabelled(task, name=name, pictures=pictures, question=question, options=options)
        self.asked.append((name, *(turn.text for turn in task.ask(example).prompt)))
        return self.texts.pop(0)


Make = Callable[..., Says]


@pytest.fixture
def says(monkeypatch: pytest.MonkeyPatch) -> Make:
    def make(*texts: str, tasks: Mapping[str, Task] | None = None, main: str | None = "extract") -> Says:
        made = Says(*texts, tasks=extracting() if tasks is None else tasks, main=main)
        monkeypatch.setattr(model, "respondent", lambda *words, **named: made)
        return made

    return make


@pytest.fixture
def picture(tmp_path: Path) -> str:
    Image.new("RGB", (40, 60), "white").save(tmp_path / "receipt.png")
    return str(tmp_path / "receipt.png")


def extracting() -> dict[str, Task]:
    return {"extract": Extract(prompt="JSON?", form="json", repair=False, metrics={})}


def ask(*words: str) -> Result:
    return CliRunner().invoke(app, ["ask", *words])


def task_of(name: str) -> Task:
    task: Task = instantiate(dict(sources.tasks())[name])
    return task


# ----------------------------------------------------------------------------------------------------------- a receipt


@pytest.mark.parametrize("reply", ["{}", "Here it is:\n```json\n{}\n```\nEnjoy."])
@pytest.mark.parametrize("words", [[], ["--task", "extract"]])
def test_the_json_alone_goes_to_standard_output(reply: str, words: list[str], says: Make, picture: str) -> None:
    made = says(reply.replace("{}", json.dumps(RECEIPT)))
    done = ask(picture, *words)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.count("\n") == 1
    assert json.loads(done.stdout) == RECEIPT
    assert "Café ☕" in done.stdout
    assert made.asked == [("extract", "JSON?")]


@pytest.mark.parametrize("reply", ["", "I see a \x1b[31mcat.", '{"menu": [{"nm": "Tea"', "[1, 2]", "{nm: Tea}"])
def test_a_reply_without_json_ends_with_1_and_is_told_on_standard_error(reply: str, says: Make, picture: str) -> None:
    says(reply)
    done = ask(picture)
    assert (done.exit_code, done.stdout) == (1, "")
    assert (reply.replace("\x1b", "\ufffd") or "nothing") in done.stderr
    assert picture in done.stderr
    assert "\x1b" not in done.stderr


def test_a_long_reply_is_cut_in_the_error(says: Make, picture: str) -> None:
    says("no " * 5000)
    assert len(ask(picture).stderr) < 3000


def test_repair_closes_what_was_cut_off_and_says_so(says: Make, picture: str) -> None:
    says('{"menu": [{"nm": "Tea", "price": "3')
    done = ask(picture, "--repair")
    assert done.exit_code == 0
    assert json.loads(done.stdout) == {"menu": [{"nm": "Tea"}]}
    assert "cut off" in done.stderr


def test_repair_is_refused_where_nothing_is_repaired(says: Make, picture: str) -> None:
    says(tasks={"digit": family.tasks()["digit"]}, main="digit")
    done = ask(picture, "--repair")
    assert (done.exit_code, done.stdout) == (2, "")


def test_of_several_receipts_each_has_its_line(says: Make, picture: str) -> None:
    says('{"a": "1"}', "none", '{"a": "3"}')
    done = ask(picture, picture, picture)
    assert done.exit_code == 1
    assert [json.loads(line) for line in done.stdout.splitlines()] == [{"a": "1"}, None, {"a": "3"}]


def test_what_a_terminal_would_obey_is_escaped_and_still_that_json(says: Make, picture: str) -> None:
    said = {"nm": "\x9b31mtea\u202e \ud800 \U000e0001"}
    says(json.dumps(said))
    done = ask(picture)
    assert done.stdout.rstrip("\n").isprintable()
    assert json.loads(done.stdout) == said


def test_json_says_the_reply_beside_what_was_read(says: Make, picture: str) -> None:
    says('Yes: {"a": 1}', "nothing")
    done = ask(picture, picture, "--json")
    good, bad = (json.loads(line) for line in done.stdout.splitlines())
    assert (good["task"], good["reply"], good["read"], good["errors"]) == ("extract", 'Yes: {"a": 1}', {"a": "1"}, [])
    assert (bad["read"], bad["image"]) == (None, picture)
    assert bad["errors"][0] in done.stderr
    assert done.exit_code == 1


@pytest.mark.parametrize("words", [["--frequency", "1k"], ["--deck", "d.cir"], ["--source", "V1", "--output", "C1"]])
def test_what_is_said_of_circuits_is_refused_for_a_receipt(words: list[str], says: Make, picture: str) -> None:
    made = says("{}")
    done = ask(picture, *words)
    assert done.exit_code == 2
    assert words[0] in done.stderr
    assert made.asked == []


# ------------------------------------------------------------------------------------------------------ which is asked


def test_a_task_is_named_and_a_wrong_name_is_told_the_nearest(says: Make, picture: str) -> None:
    made = says("The digit is 7.", "R1 1 0 1k", tasks=family.tasks(), main="netlist")
    done = ask(picture, "--task", "digit")
    assert (done.exit_code, done.stdout) == (0, "The digit is 7.\n")
    assert "netlist, as the model read it" in ask(picture).stdout
    assert [name for name, _ in made.asked] == ["digit", "netlist"]
    wrong = ask(picture, "--task", "extrakt")
    assert wrong.exit_code == 2
    assert "Did you mean 'extract'?" in wrong.stderr


@pytest.mark.parametrize(("words", "asked"), [([], ["netlist", "question"]), (["--task", "question"], ["question"])])
def test_plain_words_stand_beside_the_netlist_or_alone(
    words: list[str], asked: list[str], says: Make, picture: str
) -> None:
    made = says("R1 1 0 1k", "A resistor.") if not words else says("A resistor.")
    made.tasks, made.main = family.tasks(), "netlist"
    made.circuit = made.tasks["netlist"]  # type: ignore[assignment]  # the task of this name
    done = ask(picture, "--question", "What is it?", *words)
    assert "A resistor." in done.stdout
    assert ("netlist, as" in done.stdout) is not bool(words)
    assert sorted(name for name, _ in made.asked) == asked


def test_a_task_that_asks_questions_gets_the_persons_own(says: Make, picture: str) -> None:
    tasks = {"measurement": task_of("measurement"), "rationale": task_of("rationale")}
    made = says("3 V", "The answer is B. BECAUSE: it is so.", "Hello.", tasks=tasks, main=None)
    assert ask(picture, "--question", "V(1)?").stdout == "3 V\n"
    done = ask("--question", "Which?", "--option", "zinc", "--option", "wood")
    assert (done.exit_code, done.stdout) == (0, "The answer is B. BECAUSE: it is so.\n")
    assert ask("--task", "question", "--question", "Hello?").stdout == "Hello.\n"
    assert [name for name, _ in made.asked] == ["measurement", "rationale", "question"]
    assert "V(1)?" in made.asked[0][1]
    assert "(A) zinc (B) wood" in made.asked[1][1]


def test_where_nothing_says_which_task_is_meant_all_are_named(says: Make, picture: str) -> None:
    says(tasks={name: task_of(name) for name in ("measurement", "rationale")}, main=None)
    done = ask(picture)
    assert done.exit_code == 2
    assert "measurement, rationale" in done.stderr


def test_the_one_task_of_a_run_says_what_it_wants(says: Make, picture: str) -> None:
    says(tasks={"rationale": task_of("rationale")}, main="rationale")
    done = ask(picture)
    assert done.exit_code == 2
    assert "options" in done.stderr


def test_nothing_to_ask_about_is_refused(says: Make) -> None:
    says()
    assert ask().exit_code == 2


@pytest.mark.parametrize("name", [name for name, _ in sources.tasks()])
def test_every_task_can_be_asked_of_an_image_that_nobody_labelled(name: str) -> None:
    task = task_of(name)
    said = [(question, options) for question in (None, "How many?") for options in ((), ("one", "two"))]
    taken = [(question, options) for question, options in said if is_taken(task, question, options)]
    assert len(taken) == 1, f"{name} takes {taken}, wanted one way to ask it"


def is_taken(task: Task, question: str | None, options: tuple[str, ...]) -> bool:
    try:
        unlabelled(task, name="probe", pictures=(), question=question, options=options)
    except AskError:
        return False
    return True


def test_rooms_have_tasks_for_these_tests() -> None:
    assert {"extract", "rationale", "netlist"} <= set(rooms.names("task"))
