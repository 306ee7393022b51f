"""Can a run of every family be asked, talked with and merged, and is it the trained net that answers?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw
from typer.testing import CliRunner

from circuitvlm.core.record import Picture
from circuitvlm.serving.cli.app import app
from circuitvlm.serving.load import NOTE, load
from circuitvlm.serving.unlabelled import unlabelled
from circuitvlm.training.assemble import Run
from circuitvlm.training.batches.collator import Pack

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
MERGED = (pytest.param("idefics3", marks=pytest.mark.slow), "llava", "llava_next", "qwen2_vl")


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
    """What the net of the run itself says, as an evaluation asks it."""
    net, task = run.module.net, run.tasks[name]
    assert net is not None
    example = unlabelled(task, name=name, pictures=pictures, question=question, options=())
    batch = Pack(run.tasks, run.data.codec, run.data.collate, told=False, asked=True)([example])
    net.eval()
    with torch.no_grad():
        return run.data.codec.decode(net.generate(batch, max_new_tokens=24)[0])


def test_the_trained_net_answers_with_an_image_and_without(
    family: str, moved_run: Make, tmp_path: Path, picture: Picture
) -> None:
    run = moved_run("standin=true", *FAMILIES[family], by=0.3)
    asked = load(str(tmp_path / "run"))
    (name,) = run.tasks
    question = "What is it?" if name == "instruct" else None
    assert asked.chosen(None, question=question, options=()) == name
    for pictures in ((picture,), ()):
        heard: list[str] = []
        said = asked.say(name, *(pictures or (None,)), question=question, hear=heard.append)
        assert said == trained_reply(run, name, pictures, question)
        assert "".join(heard) == said
        assert len(heard) > 1, "a reply of several tokens comes in pieces"


def test_two_variants_are_talked_with_with_an_image_and_without(
    moved_run: Make, tmp_path: Path, picture: Picture
) -> None:
    for name, by in (("cosine", 0.1), ("cyclical", 0.4)):
        moved_run("standin=true", *FAMILIES["lavin"], by=by, name=name)
    runs = [f"run={tmp_path / name}" for name in ("cosine", "cyclical")]
    lines = f"What is it?\n/image {picture.path}\nWhat is it?\n"
    done = CliRunner().invoke(app, ["chat", *runs], input=lines)
    assert done.exit_code == 0, done.stderr
    said = done.stdout.split("== ")[1:]
    assert [part.partition("\n")[0] for part in said] == ["cosine", "cyclical"] * 2
    replies = [part.partition("\n")[2].partition("asking about")[0].strip() for part in said]
    assert all(replies)
    assert len(set(replies)) > 1, "variants that say the same prove nothing"
    assert replies[1] == load(str(tmp_path / "cyclical")).reply(None, "What is it?").strip()


@pytest.mark.parametrize("family", MERGED, indirect=True)
def test_a_merged_folder_is_asked_as_its_run_was(
    family: str, moved_run: Make, tmp_path: Path, picture: Picture
) -> None:
    run = moved_run("standin=true", *FAMILIES[family], by=0.3)
    (name,) = run.tasks
    said = load(str(tmp_path / "run")).say(name, picture)
    words = ["merge", str(tmp_path / "run"), str(tmp_path / "out"), "--dtype", "float32"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.stderr
    asked = load(str(tmp_path / "out"))
    assert asked.main == name
    assert asked.say(name, picture) == said
    (tmp_path / "out" / NOTE).unlink()
    bare = load(str(tmp_path / "out"), max_new_tokens=4)
    assert (bare.main, set(bare.tasks)) == ("netlist", {"netlist", "extract", "extract_tokens", "digit"})
    assert bare.reply(picture, "What is it?")


@pytest.mark.parametrize(("family", "said"), [("lavin", "has an image"), ("projector", "encoder")], indirect=["family"])
def test_what_cannot_be_merged_says_so_and_writes_nothing(
    family: str, said: str, moved_run: Make, tmp_path: Path
) -> None:
    moved_run("standin=true", *FAMILIES[family])
    done = CliRunner().invoke(app, ["merge", str(tmp_path / "run"), str(tmp_path / "out")])
    assert done.exit_code == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_lora_that_plain_peft_wrote_goes_on_a_llava(moved_run: Make, tmp_path: Path, picture: Picture) -> None:
    moved_run("standin=true", *FAMILIES["llava"], by=0.3, name="base")
    assert (
        CliRunner()
        .invoke(app, ["merge", str(tmp_path / "base"), str(tmp_path / "out"), "--dtype", "float32"])
        .exit_code
        == 0
    )
    run = moved_run(
        "model=llava_15_7b", f"model.weights={tmp_path / 'out'}", "model.resize=own", *FAMILIES["llava"][1:], by=0.3
    )
    plain = tmp_path / "peft"
    plain.mkdir()
    for file in ("adapter_config.json", "adapter_model.safetensors"):
        (plain / file).write_bytes((tmp_path / "run" / "adapter" / file).read_bytes())
    asked = load(str(tmp_path / "out"), adapter=str(plain), max_new_tokens=24)
    assert asked.say("extract", picture) == trained_reply(run, "extract", (picture,), None)
    assert asked.say("extract", picture) != load(str(tmp_path / "out"), max_new_tokens=24).say("extract", picture)
