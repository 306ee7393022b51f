"""Test the command ask for tasks other than the netlist: output, errors and the choice of the task."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from circuitvlm.core.contract import Task
from circuitvlm.core.record import Example
from circuitvlm.runtime.config.allow_list import instantiate
from circuitvlm.serving import family
from circuitvlm.serving.cli import model
from circuitvlm.serving.cli.app import app
from circuitvlm.serving.cut_reply import CutReplyError
from circuitvlm.serving.predictor import Predictor
from circuitvlm.serving.user_example import TaskInputError, build_example
from circuitvlm.task.extract import Extract
from circuitvlm.task.netlist import Netlist
from tests.contract import parts, sources

RECEIPT = {"menu": [{"nm": "Café ☕", "price": "60.000"}], "total": {"total_price": "60.000"}}


class FakePredictor(Predictor):
    """A predictor without a net, which replies with given texts."""

    def __init__(self, *texts: str, tasks: Mapping[str, Task], default_task: str | None) -> None:
        self.texts, self.requests = list(texts), list[tuple[str, ...]]()
        self.tasks, self.default_task = tasks, default_task
        netlist_tasks = (task for task in tasks.values() if isinstance(task, Netlist))
        self.netlist_task = next(netlist_tasks, Netlist(prompt="?", metrics={}))

    def _generate(self, task: Task, example: Example, *, on_text: object) -> str:
        self.requests.append((example.task, *(turn.text for turn in task.ask(example).prompt)))
        return self.texts.pop(0)


Make = Callable[..., FakePredictor]


@pytest.fixture
def says(monkeypatch: pytest.MonkeyPatch) -> Make:
    def make(
        *texts: str, tasks: Mapping[str, Task] | None = None, default_task: str | None = "extract"
    ) -> FakePredictor:
        predictor = FakePredictor(*texts, tasks=extract_tasks() if tasks is None else tasks, default_task=default_task)
        monkeypatch.setattr(model, "load_predictor", lambda *names, **options: predictor)
        return predictor

    return make


@pytest.fixture
def picture(tmp_path: Path) -> str:
    Image.new("RGB", (40, 60), "white").save(tmp_path / "receipt.png")
    return str(tmp_path / "receipt.png")


def extract_tasks() -> dict[str, Task]:
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
    predictor = says(reply.replace("{}", json.dumps(RECEIPT)))
    result = ask(picture, *words)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.count("\n") == 1
    assert json.loads(result.stdout) == RECEIPT
    assert "Café ☕" in result.stdout
    assert predictor.requests == [("extract", "JSON?")]


@pytest.mark.parametrize("reply", ["", "I see a \x1b[31mcat.", '{"menu": [{"nm": "Tea"', "[1, 2]", "{nm: Tea}"])
def test_a_reply_without_json_ends_with_1_and_is_told_on_standard_error(reply: str, says: Make, picture: str) -> None:
    says(reply)
    result = ask(picture)
    assert (result.exit_code, result.stdout) == (1, "")
    assert (reply.replace("\x1b", "\ufffd") or "nothing") in result.stderr
    assert picture in result.stderr
    assert "\x1b" not in result.stderr


def test_a_long_reply_is_cut_in_the_error(says: Make, picture: str) -> None:
    says("no " * 5000)
    assert len(ask(picture).stderr) < 3000


def test_repair_closes_what_was_cut_off_and_says_so(says: Make, picture: str) -> None:
    says('{"menu": [{"nm": "Tea", "price": "3')
    result = ask(picture, "--repair")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {"menu": [{"nm": "Tea"}]}
    assert "cut off" in result.stderr


def test_a_cut_reply_is_an_error_unless_its_json_may_be_repaired(
    says: Make, picture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def generate(self: FakePredictor, task: Task, example: Example, *, on_text: object) -> str:
        raise CutReplyError('{"menu": [{"nm": "Tea", "price": "3', max_new_tokens=8)

    monkeypatch.setattr(FakePredictor, "_generate", generate)
    says()
    result = ask(picture)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "max_new_tokens=8" in result.stderr
    result = ask(picture, "--repair")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {"menu": [{"nm": "Tea"}]}
    assert "cut off" in result.stderr


def test_what_there_is_of_a_cut_text_is_printed(says: Make, picture: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def generate(self: FakePredictor, task: Task, example: Example, *, on_text: object) -> str:
        raise CutReplyError("It is a cat that", max_new_tokens=8)

    monkeypatch.setattr(FakePredictor, "_generate", generate)
    says()
    words = [picture, "--task", "question", "--question", "What?"]
    result = ask(*words)
    assert (result.exit_code, result.stdout) == (1, "It is a cat that\n")
    assert "max_new_tokens=8" in result.stderr
    assert json.loads(ask(*words, "--json").stdout)["cut"] is True


def test_repair_is_refused_where_nothing_is_repaired(says: Make, picture: str) -> None:
    says(tasks={"digit": family.default_tasks()["digit"]}, default_task="digit")
    result = ask(picture, "--repair")
    assert (result.exit_code, result.stdout) == (2, "")


def test_of_several_receipts_each_has_its_line(says: Make, picture: str) -> None:
    says('{"a": "1"}', "none", '{"a": "3"}')
    result = ask(picture, picture, picture)
    assert result.exit_code == 1
    assert [json.loads(line) for line in result.stdout.splitlines()] == [{"a": "1"}, None, {"a": "3"}]


def test_what_a_terminal_would_obey_is_escaped_and_still_that_json(says: Make, picture: str) -> None:
    fields = {"nm": "\x9b31mtea\u202e \ud800 \U000e0001"}
    says(json.dumps(fields))
    result = ask(picture)
    assert result.stdout.rstrip("\n").isprintable()
    assert json.loads(result.stdout) == fields


def test_json_says_the_reply_beside_what_was_read(says: Make, picture: str) -> None:
    says('Yes: {"a": 1}', "nothing")
    result = ask(picture, picture, "--json")
    good, bad = (json.loads(line) for line in result.stdout.splitlines())
    assert (good["task"], good["reply"], good["read"], good["errors"]) == ("extract", 'Yes: {"a": 1}', {"a": "1"}, [])
    assert (bad["read"], bad["image"]) == (None, picture)
    assert bad["errors"][0] in result.stderr
    assert result.exit_code == 1


@pytest.mark.parametrize("words", [["--frequency", "1k"], ["--deck", "d.cir"], ["--source", "V1", "--output", "C1"]])
def test_what_is_said_of_circuits_is_refused_for_a_receipt(words: list[str], says: Make, picture: str) -> None:
    predictor = says("{}")
    result = ask(picture, *words)
    assert result.exit_code == 2
    assert words[0] in result.stderr
    assert predictor.requests == []


# ------------------------------------------------------------------------------------------------------ which is asked


def test_a_task_is_named_and_a_wrong_name_is_told_the_nearest(says: Make, picture: str) -> None:
    predictor = says("The digit is 7.", "R1 1 0 1k", tasks=family.default_tasks(), default_task="netlist")
    result = ask(picture, "--task", "digit")
    assert (result.exit_code, result.stdout) == (0, "The digit is 7.\n")
    assert "netlist, as the model read it" in ask(picture).stdout
    assert [name for name, _ in predictor.requests] == ["digit", "netlist"]
    wrong = ask(picture, "--task", "extrakt")
    assert wrong.exit_code == 2
    assert "Did you mean 'extract'?" in wrong.stderr


@pytest.mark.parametrize(
    ("words", "task_names"), [([], ["netlist", "question"]), (["--task", "question"], ["question"])]
)
def test_plain_words_stand_beside_the_netlist_or_alone(
    words: list[str], task_names: list[str], says: Make, picture: str
) -> None:
    predictor = says("R1 1 0 1k", "A resistor.") if not words else says("A resistor.")
    predictor.tasks, predictor.default_task = family.default_tasks(), "netlist"
    predictor.netlist_task = predictor.tasks["netlist"]  # type: ignore[assignment]  # the task of this name
    result = ask(picture, "--question", "What is it?", *words)
    assert "A resistor." in result.stdout
    assert ("netlist, as" in result.stdout) is not bool(words)
    assert sorted(name for name, _ in predictor.requests) == task_names


def test_a_task_that_asks_questions_gets_the_persons_own(says: Make, picture: str) -> None:
    tasks = {"measurement": task_of("measurement"), "rationale": task_of("rationale")}
    predictor = says("3 V", "The answer is B. BECAUSE: it is so.", "Hello.", tasks=tasks, default_task=None)
    assert ask(picture, "--question", "V(1)?").stdout == "3 V\n"
    result = ask("--question", "Which?", "--option", "zinc", "--option", "wood")
    assert (result.exit_code, result.stdout) == (0, "The answer is B. BECAUSE: it is so.\n")
    assert ask("--task", "question", "--question", "Hello?").stdout == "Hello.\n"
    assert [name for name, _ in predictor.requests] == ["measurement", "rationale", "question"]
    assert "V(1)?" in predictor.requests[0][1]
    assert "(A) zinc (B) wood" in predictor.requests[1][1]


def test_where_nothing_says_which_task_is_meant_all_are_named(says: Make, picture: str) -> None:
    says(tasks={name: task_of(name) for name in ("measurement", "rationale")}, default_task=None)
    result = ask(picture)
    assert result.exit_code == 2
    assert "measurement, rationale" in result.stderr


def test_the_one_task_of_a_run_says_what_it_wants(says: Make, picture: str) -> None:
    says(tasks={"rationale": task_of("rationale")}, default_task="rationale")
    result = ask(picture)
    assert result.exit_code == 2
    assert "options" in result.stderr


def test_nothing_to_ask_about_is_refused(says: Make) -> None:
    says()
    assert ask().exit_code == 2


@pytest.mark.parametrize("name", [name for name, _ in sources.tasks()])
def test_every_task_can_be_asked_of_an_image_that_nobody_labelled(name: str) -> None:
    task = task_of(name)
    inputs = [(question, options) for question in (None, "How many?") for options in ((), ("one", "two"))]
    accepted_inputs = [(question, options) for question, options in inputs if is_taken(task, question, options)]
    assert len(accepted_inputs) == 1, f"{name}: expected one accepted input, got {accepted_inputs}"


def is_taken(task: Task, question: str | None, options: tuple[str, ...]) -> bool:
    try:
        build_example(task, name="probe", pictures=(), question=question, options=options)
    except TaskInputError:
        return False
    return True


def test_rooms_have_tasks_for_these_tests() -> None:
    assert {"extract", "rationale", "netlist"} <= set(parts.names("task"))
