"""Test that a run of every model family can be asked, used in a chat, and merged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw
from typer.testing import CliRunner

from circuitvlm.core.record import Picture
from circuitvlm.serving.cli.app import app
from circuitvlm.serving.load import SETTINGS_FILE, load
from circuitvlm.serving.user_example import build_example
from circuitvlm.training.assemble import Run
from circuitvlm.training.batches.collator import Collator
from tests.serving.replies import reply_of

Make = Callable[..., Run]

FAMILIES = {
    "idefics3": ("model=idefics3_smolvlm_256m", "adapter=lora", "task=[extract]"),
    "lavin": (
        "model=lavin_7b",
        "adapter=mixture_of_modality_embedding",
        "adapter.train=[projector]",
        "task=[instruct]",
    ),
    "llava": ("model=llava_15_7b", "adapter=lora", "task=[extract]"),
    "llava_next": ("model=llava_next_vicuna_7b", "adapter=lora", "task=[extract]"),
    "projector": ("model=projector_llama_8b", "adapter=projector", "task=[digit]"),
    "qwen2_vl": ("model=qwen2_vl_7b", "adapter=lora", "task=[netlist]"),
}
MERGEABLE = (pytest.param("idefics3", marks=pytest.mark.slow), "llava", "llava_next", "qwen2_vl")


@pytest.fixture
def picture(tmp_path: Path) -> Picture:
    path = tmp_path / "picture.png"
    page = Image.new("RGB", (80, 60), "white")
    ImageDraw.Draw(page).line((5, 50, 70, 10), fill="black", width=5)
    page.save(path)
    return Picture(path)


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def trained_reply(run: Run, name: str, pictures: tuple[Picture, ...], question: str | None) -> str:
    """The reply of the run's own net, as an evaluation generates it."""
    net, task = run.module.net, run.tasks[name]
    assert net is not None
    example = build_example(task, name=name, pictures=pictures, question=question, options=())
    batch = Collator(run.tasks, run.data.codec, run.data.collate).prompt_batch([example])
    net.eval()
    with torch.no_grad():
        return run.data.codec.decode(net.generate(batch, max_new_tokens=24)[0])


def test_the_trained_net_answers_with_an_image_and_without(
    family: str, moved_run: Make, tmp_path: Path, picture: Picture
) -> None:
    run = moved_run("smoke_test=true", *FAMILIES[family], scale=0.3)
    predictor = load(str(tmp_path / "run"))
    (name,) = run.tasks
    question = "What is it?" if name == "instruct" else None
    assert predictor.select_task(None, question=question, options=()) == name
    for pictures in ((picture,), ()):
        chunks: list[str] = []
        reply = reply_of(predictor.run_task, name, *(pictures or (None,)), question=question, on_text=chunks.append)
        assert reply == trained_reply(run, name, pictures, question)
        assert "".join(chunks) == reply
        assert len(chunks) > 1, "a reply of several tokens comes in chunks"


def test_two_variants_are_talked_with_with_an_image_and_without(
    moved_run: Make, tmp_path: Path, picture: Picture
) -> None:
    for name, scale in (("cosine", 0.1), ("cyclical", 0.4)):
        moved_run("smoke_test=true", *FAMILIES["lavin"], scale=scale, name=name)
    runs = [f"run={tmp_path / name}" for name in ("cosine", "cyclical")]
    lines = f"What is it?\n/image {picture.path}\nWhat is it?\n"
    result = CliRunner().invoke(app, ["chat", *runs], input=lines)
    assert result.exit_code == 0, result.stderr
    parts = result.stdout.split("== ")[1:]
    assert [part.partition("\n")[0] for part in parts] == ["cosine", "cyclical"] * 2
    texts = (part.partition("\n")[2].partition("image: ")[0] for part in parts)
    replies = [text.partition("\nerror: expected a reply that ends")[0].strip() for text in texts]
    assert all(replies)
    assert len(set(replies)) > 1, "variants that say the same prove nothing"
    assert replies[1] == reply_of(load(str(tmp_path / "cyclical")).answer_question, None, "What is it?").strip()


@pytest.mark.parametrize("family", MERGEABLE, indirect=True)
def test_a_merged_folder_is_asked_as_its_run_was(
    family: str, moved_run: Make, tmp_path: Path, picture: Picture
) -> None:
    run = moved_run("smoke_test=true", *FAMILIES[family], scale=0.3)
    (name,) = run.tasks
    reply = reply_of(load(str(tmp_path / "run")).run_task, name, picture)
    words = ["merge", str(tmp_path / "run"), str(tmp_path / "out"), "--dtype", "float32"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.stderr
    predictor = load(str(tmp_path / "out"))
    assert predictor.default_task == name
    assert reply_of(predictor.run_task, name, picture) == reply
    (tmp_path / "out" / SETTINGS_FILE).unlink()
    bare = load(str(tmp_path / "out"), max_new_tokens=4)
    assert (bare.default_task, set(bare.tasks)) == ("netlist", {"netlist", "extract", "extract_tokens", "digit"})
    assert reply_of(bare.answer_question, picture, "What is it?")


@pytest.mark.parametrize(
    ("family", "message"), [("lavin", "has an image"), ("projector", "encoder")], indirect=["family"]
)
def test_what_cannot_be_merged_says_so_and_writes_nothing(
    family: str, message: str, moved_run: Make, tmp_path: Path
) -> None:
    moved_run("smoke_test=true", *FAMILIES[family])
    result = CliRunner().invoke(app, ["merge", str(tmp_path / "run"), str(tmp_path / "out")])
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_lora_that_plain_peft_wrote_goes_on_a_llava(moved_run: Make, tmp_path: Path, picture: Picture) -> None:
    moved_run("smoke_test=true", *FAMILIES["llava"], scale=0.3, name="base")
    assert (
        CliRunner()
        .invoke(app, ["merge", str(tmp_path / "base"), str(tmp_path / "out"), "--dtype", "float32"])
        .exit_code
        == 0
    )
    run = moved_run(
        "model=llava_15_7b", f"model.weights={tmp_path / 'out'}", "model.resize=own", *FAMILIES["llava"][1:], scale=0.3
    )
    plain = tmp_path / "peft"
    plain.mkdir()
    for file in ("adapter_config.json", "adapter_model.safetensors"):
        (plain / file).write_bytes((tmp_path / "run" / "adapter" / file).read_bytes())
    predictor = load(str(tmp_path / "out"), adapter=str(plain), max_new_tokens=24)
    assert reply_of(predictor.run_task, "extract", picture) == trained_reply(run, "extract", (picture,), None)
    base = load(str(tmp_path / "out"), max_new_tokens=24)
    assert reply_of(predictor.run_task, "extract", picture) != reply_of(base.run_task, "extract", picture)
