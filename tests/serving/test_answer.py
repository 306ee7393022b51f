"""Test the answers about circuits, the command ask, and the loading of models."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bitsandbytes
import pytest
import yaml
from PIL import Image
from typer.testing import CliRunner, Result

from circuitvlm.circuit import draw, netlist
from circuitvlm.circuit.judge import equivalence
from circuitvlm.circuit.solve import numeric
from circuitvlm.core.record import Picture
from circuitvlm.runtime.config.allow_list import instantiate
from circuitvlm.runtime.folders.saved_file import FolderError
from circuitvlm.serving import family as families
from circuitvlm.serving import load as loading
from circuitvlm.serving.circuit_answer import CircuitRequest, answer_request, as_dict
from circuitvlm.serving.cli import model as model_command
from circuitvlm.serving.cli.app import app
from circuitvlm.serving.cut_reply import CutReplyError
from circuitvlm.serving.load import ModelError, load
from circuitvlm.task.netlist import Netlist
from circuitvlm.training.assemble import Run, trained_run
from circuitvlm.training.replies import read_replies
from tests.contract import sources
from tests.serving.replies import reply_of

ROOT = Path(__file__).parents[2]
BASE = str(ROOT / "weights" / "circuit-tiny")
LOWPASS = "V1 in 0 10\nR1 in out 1k\nC1 out 0 1u"
HOSTILE = "V1 1 0 5\nR1 1 0 1k\n.control\nshell touch owned\n.endc\n.end"

Make = Callable[..., Run]


class Fake:
    """A predictor that replies with given texts."""

    netlist_task = Netlist(prompt="?", metrics={})

    def __init__(self, *texts: str) -> None:
        self.texts = list(texts)

    def predict_netlist(self, picture: Picture) -> str:
        return self.texts.pop(0)

    def answer_question(self, picture: Picture, question: str) -> str:
        return f"{question} 3 V\x1b]0;owned\x07"

    def asks_netlist(self, task_name: str | None, **request: object) -> bool:
        return True


def ask(*words: str) -> Result:
    return CliRunner().invoke(app, ["ask", *words])


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "circuit.png"
    path.write_bytes(draw.image(netlist.parse("V1 1 0 9\nR1 1 0 1k"), style="american"))
    return path


@pytest.fixture
def says(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def make(*texts: str) -> None:
        monkeypatch.setattr(model_command, "load_predictor", lambda *names, **options: Fake(*texts))

    return make


# ----------------------------------------------------------------------------------------- what follows from a reply


def test_what_was_read_is_solved_exactly(picture: Path) -> None:
    request = CircuitRequest(frequency=159.154943, source="V1", output="C1", question="why")
    answer_record = answer_request(Fake(LOWPASS), Picture(picture), request, image="a.png")
    assert answer_record.errors == ()
    assert answer_record.solution is not None
    truth = numeric.solve(netlist.parse(LOWPASS), 159.154943)
    assert answer_record.solution.voltage("out") == truth.voltage("out")
    assert answer_record.transfer is not None
    assert answer_record.transfer.symbolic == "1/(C1*R1*s + 1)"
    assert answer_record.transfer.numeric == "1000/(s + 1000)"
    body = json.loads(json.dumps(as_dict(answer_record)))
    assert body["netlist"] == LOWPASS
    assert body["canonical"] == "V1 1 0 10\nR1 1 2 1k\nC1 2 0 1u"
    assert body["solution"]["nodes"]["out"]["magnitude"] == pytest.approx(10 / 2**0.5, rel=1e-6)
    assert body["answer"].startswith("why 3 V")


@pytest.mark.parametrize(
    ("text", "errors"),
    [
        ("I cannot read this.", ["netlist: no device"]),
        ("", ["netlist: no device"]),
        ("V1 1 0 1\nV2 1 0 2", ["solution: ", "transfer function: "]),
        ("D1 1 0 mod\nV1 1 0 1", ["solution: D1", "transfer function: "]),
        ("I1 0 1 1m\nR1 1 0 1k\nC1 1 0 1n", ["transfer function: no independent source 'V1'; the circuit has I1"]),
        ("V1 1 0 1e190\nR1 1 0 1e-190\nC1 1 0 1n", ["solution: voltages, currents and powers"]),
        ("R1 1 0 inf\nV1 1 0 <Empty>", ["solution: ", "transfer function: "]),
    ],
)
def test_what_cannot_be_found_out_is_said_and_nothing_raises(text: str, errors: list[str], picture: Path) -> None:
    for frequency in (0.0, 1e3):
        check_errors(text, errors, picture, frequency)


def check_errors(text: str, errors: list[str], picture: Path, frequency: float) -> None:
    request = CircuitRequest(source="V1", output="C1", frequency=frequency)
    answer_record = answer_request(Fake(text), Picture(picture), request, image="a.png")
    assert len(answer_record.errors) == len(errors)
    for message, start in zip(answer_record.errors, errors, strict=True):
        assert message.startswith(start)
    json.dumps(as_dict(answer_record), allow_nan=False)


# ------------------------------------------------------------------------------------------------------- the command


def test_json_is_one_object_a_line_and_errors_are_told_beside_it(
    says: Callable[..., None], picture: Path, tmp_path: Path
) -> None:
    says(LOWPASS, "no circuit here")
    result = ask(str(picture), str(picture), "--json", "--deck", str(tmp_path / "d.cir"))
    assert result.exit_code == 1
    good, bad = (json.loads(line) for line in result.stdout.splitlines())
    assert good["errors"] == []
    assert good["cut"] is False
    assert (bad["canonical"], bad["solution"], bad["netlist"]) == (None, None, "no circuit here")
    assert bad["errors"][0] in result.stderr
    assert sorted(file.name for file in tmp_path.glob("*.cir")) == ["d-1.cir"]


def test_the_deck_is_written_anew(says: Callable[..., None], picture: Path, tmp_path: Path) -> None:
    says(HOSTILE)
    deck = tmp_path / "d.cir"
    result = ask(str(picture), "--deck", str(deck), "--frequency", "1k")
    assert result.exit_code == 0, result.stderr
    text = deck.read_text()
    assert "shell" not in text
    assert ".ac lin 1 1000.0 1000.0" in text
    assert text == netlist.deck(netlist.parse(HOSTILE), "ac 1000.0")


def test_a_models_words_cannot_command_the_terminal(says: Callable[..., None], picture: Path) -> None:
    says("\x1b[31mno netlist\x9b")
    result = ask(str(picture), "--question", "V(1)?")
    assert result.exit_code == 1
    assert "V(1)? 3 V" in result.stdout
    assert not {"\x1b", "\x07", "\x9b"} & set(result.stdout + result.stderr)


@pytest.mark.parametrize("text", [LOWPASS, "nothing"])
def test_redraw_shows_the_image_beside_what_was_understood(
    text: str, says: Callable[..., None], picture: Path, tmp_path: Path
) -> None:
    says(text)
    file = tmp_path / "both.png"
    result = ask(str(picture), "--redraw", str(file))
    assert result.exit_code == (0 if text == LOWPASS else 1)
    page = Image.open(file).convert("L")
    left_panel, right_panel = (
        page.crop((x, 40, x + page.width // 2 - 20, page.height - 20)) for x in (14, page.width // 2 + 10)
    )
    assert left_panel.getextrema()[0] < 100
    assert right_panel.getextrema()[0] < 100
    assert left_panel.tobytes() != right_panel.tobytes()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--source", "V1"], "--output"),
        (["--frequency", "-1"], "frequency"),
        (["--frequency", "fast"], "expected a number"),
        (["--deck", "no/such/folder/d.cir"], "no/such/folder"),
        (["--max-new-tokens", "0"], "max-new-tokens"),
        (["http://127.0.0.1/a.png"], "--allow-private"),
        (["gone.png"], "gone.png"),
    ],
)
def test_bad_input_ends_with_2_before_a_model_is_asked(
    words: list[str], message: str, says: Callable[..., None], picture: Path
) -> None:
    says()
    result = ask(str(picture), *words)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("command", ["ask", "chat", "merge"])
def test_each_command_explains_itself_with_an_example(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert f"circuitvlm {command} " in result.stdout


# -------------------------------------------------------------------------------------------------------- the models


def test_the_small_base_reads_a_drawing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    truth = netlist.parse("V1 1 0 12\nR1 1 2 4.7k\nR2 2 0 10k")
    path = tmp_path / "divider.png"
    path.write_bytes(draw.image(truth, style="american", width=224, height=168))
    result = ask(str(path), "--json")
    assert result.exit_code == 0, result.stderr
    answer_record = json.loads(result.stdout)
    assert equivalence.compare(netlist.parse(answer_record["canonical"]), truth).values
    assert answer_record["solution"]["nodes"]["2"] == pytest.approx(12 * 10 / 14.7)


@pytest.mark.parametrize(("quantization", "precision"), [("none", "32-true"), ("nf4_float32", "bf16-mixed")])
def test_replies_are_those_of_an_evaluation(quantization: str, precision: str, moved_run: Make, tmp_path: Path) -> None:
    tiny = ["model=qwen2_vl_tiny", f"model.weights={BASE}", "adapter=lora_everywhere", "max_new_tokens=12"]
    moved_run(*tiny, f"quantization={quantization}", f"precision={precision}", scale=0.02)
    run = trained_run(tmp_path / "run", changes={})
    run.evaluate(["validation"], items=None, replies_folder=tmp_path / "replies")
    replies = read_replies(tmp_path / "replies" / "validation")
    predictor = load(str(tmp_path / "run"))
    examples = list(run.data.questions("validation"))
    assert len(examples) == 3
    reply_texts = {example.id: reply_of(predictor.predict_netlist, example.images[0]) for example in examples}
    assert reply_texts == {reply.id: reply.text for reply in replies.values()}
    assert any(reply.cut for reply in replies.values()), "twelve tokens are too few for a netlist"
    assert len(set(reply_texts.values())) > 1, "replies must depend on the image for this test to be meaningful"


def test_an_adapter_goes_by_its_run_by_its_folder_and_by_plain_peft(
    moved_run: Make, tmp_path: Path, picture: Path
) -> None:
    moved_run("model=qwen2_vl_tiny", f"model.weights={BASE}", "adapter=lora_everywhere", scale=0.2)
    plain = tmp_path / "peft"
    plain.mkdir()
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        shutil.copy(tmp_path / "run" / "adapter" / name, plain / name)
    base = reply_of(load(BASE).predict_netlist, Picture(picture))
    predictors = [
        load(str(tmp_path / "run")),
        load(str(tmp_path / "run" / "adapter")),
        load("", adapter=str(tmp_path / "run")),
        load(BASE, adapter=str(tmp_path / "run")),
        load(BASE, adapter=str(plain)),
        load(str(plain)),
    ]
    replies = []
    for predictor in predictors:
        predictor.max_new_tokens = 24
        assert predictor.netlist_task.prompt == "Netlist?"
        replies.append(reply_of(predictor.predict_netlist, Picture(picture)))
    assert len(set(replies)) == 1
    assert replies[0] != base[: len(replies[0])]


def test_an_adapter_of_another_model_is_refused(moved_run: Make, tmp_path: Path) -> None:
    moved_run("model=qwen2_vl_tiny", f"model.weights={BASE}", "adapter=lora")
    plain = tmp_path / "peft"
    shutil.copytree(tmp_path / "run" / "adapter", plain)
    (plain / "config.yaml").unlink()
    config = json.loads((plain / "adapter_config.json").read_text())
    config["target_modules"] = ["q_proj"]
    (plain / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="expected the weights of this adapter"):
        load(BASE, adapter=str(plain))
    (plain / "adapter_config.json").write_text(json.dumps({**config, "peft_type": "IA3", "feedforward_modules": []}))
    with pytest.raises(ModelError, match="expected a LoRA adapter"):
        load(BASE, adapter=str(plain))


def test_four_bit_quantizes_a_checkpoint_and_the_base_of_a_run(moved_run: Make, tmp_path: Path) -> None:
    moved_run("model=qwen2_vl_tiny", f"model.weights={BASE}", "adapter=lora", "quantization=int8")
    for model in (BASE, str(tmp_path / "run")):
        kinds = {type(module) for module in load(model, four_bit=True).net.modules()}
        assert bitsandbytes.nn.Linear4bit in kinds
        assert bitsandbytes.nn.Linear8bitLt not in kinds


def test_a_run_is_asked_without_its_data(moved_run: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moved_run("smoke_test=true", "adapter=lora")

    def refuse(run: Run) -> Any:
        raise AssertionError("the sources of the run must not be built")

    monkeypatch.setattr(Run.sources, "func", refuse)
    assert load(str(tmp_path / "run"), max_new_tokens=3).max_new_tokens == 3


def test_a_model_that_is_not_there_is_told_with_what_to_type(
    picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("circuitvlm.model.base.checkpoint_folder.snapshot_download", unreachable)
    result = ask(str(picture), "--model", "nobody/nothing")
    assert result.exit_code == 2
    assert "`hf download nobody/nothing --local-dir FOLDER`" in result.stderr
    assert "--model FOLDER" in result.stderr
    for words in (["--model", str(tmp_path)], ["--adapter", str(tmp_path)]):
        result = ask(str(picture), *words)
        assert result.exit_code == 2
        assert str(tmp_path) in result.stderr
        assert "Traceback" not in result.stderr


def test_a_reply_that_was_cut_is_an_error_and_is_not_solved(picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`R1 1 0 1` of `R1 1 0 1k` is a netlist too, and another one."""

    class Cut(Fake):
        def predict_netlist(self, picture: Picture) -> str:
            raise CutReplyError("V1 1 0 9\nR1 1 0 1", max_new_tokens=16)

    monkeypatch.setattr(model_command, "load_predictor", lambda *names, **options: Cut())
    result = ask(str(picture), "--json")
    assert result.exit_code == 1
    answer = json.loads(result.stdout)
    assert answer["netlist"] == "V1 1 0 9\nR1 1 0 1"
    assert answer["solution"] is answer["canonical"] is None
    assert answer["cut"] is True
    (error,) = answer["errors"]
    assert "max_new_tokens=16" in error
    assert "--max-new-tokens 32" in result.stderr


def unreachable(*arguments: object, **options: object) -> None:
    raise ConnectionError("no network here")


@pytest.mark.parametrize(
    "note",
    ['{"prompt": ""}', '{"task": "sing"}', '{"resize": "round"}', '{"max_tokens": "many"}', '{"promt": "x"}', "[1]"],
)
def test_a_note_that_says_something_else_is_refused(note: str, tmp_path: Path) -> None:
    (tmp_path / loading.SETTINGS_FILE).write_text(note)
    with pytest.raises((ModelError, FolderError), match=r"expected (a JSON object|JSON of the kind dict)"):
        loading._read_settings(tmp_path, family="qwen2_vl")


def test_a_model_of_another_family_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ModelError, match="'bert'"):
        load(str(tmp_path))


def test_what_is_usual_is_what_the_configs_say() -> None:
    for name, task in families.default_tasks().items():
        task_of_config = instantiate(dict(sources.tasks())[name])
        assert {**vars(task), "metrics": None} == {**vars(task_of_config), "metrics": None}
    for family, model in (("llava", "llava_15_7b"), ("llava_next", "llava_next_vicuna_7b")):
        config = yaml.safe_load((ROOT / f"conf/model/{model}.yaml").read_text())
        assert (config["max_tokens"], config["resize"]) == (families.MAX_TOKENS[family], families.RESIZE[family])
    for path in (ROOT / "conf/model").glob("idefics3_smolvlm_*.yaml"):
        assert yaml.safe_load(path.read_text())["max_tokens"] == families.MAX_TOKENS["idefics3"]
    nf4 = yaml.safe_load((ROOT / "conf/quantization/nf4.yaml").read_text())
    assert {key: nf4[key] for key in loading.NF4} == loading.NF4
    assert len(nf4) == len(loading.NF4) + 2  # its _target_ and the compute dtype
