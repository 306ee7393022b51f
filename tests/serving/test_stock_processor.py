"""Test that transformers' own `AutoProcessor` gives the tokens and pixels of a merged folder's run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from typer.testing import CliRunner

from circuitvlm.core.record import Dialogue, Picture, Turn
from circuitvlm.core.tensor import Encoded
from circuitvlm.serving.cli.app import app
from circuitvlm.training.assemble import Run
from tests.serving.test_families import FAMILIES

QUESTION = "Which parts are in series?"
ALL = {
    **{name: FAMILIES[name] for name in ("idefics3", "llava", "llava_next", "qwen2_vl")},
    "llava_padded": (*FAMILIES["llava"], "model.resize=pad"),
}
WITHOUT_TORCHVISION = ("llava", "llava_next", "llava_padded")
"""Those that are quick; a Qwen2-VL's processor needs torchvision, for videos."""

STOCK = """
import json, sys
import numpy as np
from PIL import Image
from transformers import AutoProcessor

picture, question, *folders = sys.argv[1:]
for folder in folders:
    processor = AutoProcessor.from_pretrained(folder, local_files_only=True)
    turn = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]}
    text = processor.apply_chat_template([turn], add_generation_prompt=True)
    tensors = processor(images=[Image.open(picture)], text=[text], return_tensors="pt")
    np.savez(f"{folder}.npz", tokens=tensors["input_ids"][0], pixels=tensors["pixel_values"])
"""
"""A script for any Python with transformers: it knows nothing of this project."""


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    page = Image.new("RGB", (117, 90), "white")
    ImageDraw.Draw(page).line((5, 80, 100, 10), fill="black", width=5)
    page.save(tmp_path / "picture.png")
    return tmp_path / "picture.png"


def merge(name: str, moved_run: Callable[..., Run], picture: Path) -> tuple[Path, Encoded]:
    """The merged folder of a family, and the question as the run's codec encodes it."""
    run = moved_run("smoke_test=true", *ALL[name], name=f"{name}_run")
    folder = picture.parent / name
    result = CliRunner().invoke(app, ["merge", str(run.folder), str(folder)])
    assert result.exit_code == 0, result.stderr
    turn = Turn(role="user", text=QUESTION, images=(Picture(picture),))
    return folder, run.data.codec.encode(Dialogue(id="q", task="t", prompt=(turn,), reply=""), reply=False)


def compare(folder: Path, sample: Encoded, *, tolerance: float) -> None:
    stock = np.load(f"{folder}.npz")
    assert stock["tokens"].tolist() == sample.tokens_T.tolist(), folder.name
    pixels = sample.vision["pixel_values"].numpy()
    np.testing.assert_allclose(stock["pixels"].reshape(pixels.shape), pixels, rtol=0, atol=tolerance)


def test_tokens_and_pixels_are_the_same_without_torchvision(moved_run: Callable[..., Run], picture: Path) -> None:
    samples = dict(merge(name, moved_run, picture) for name in WITHOUT_TORCHVISION)
    subprocess.run([sys.executable, "-c", STOCK, picture, QUESTION, *samples], check=True)
    for folder, sample in samples.items():
        compare(folder, sample, tolerance=1e-6)


@pytest.fixture(scope="module")
def python_with_torchvision(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A new virtual environment; pip finds the torch that belongs to the newest torchvision."""
    folder = tmp_path_factory.mktemp("torchvision")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    packages = ["torchvision", f"transformers=={version('transformers')}", "pillow"]
    subprocess.run([folder / "bin" / "pip", "install", "--quiet", *packages], check=True)
    return str(folder / "bin" / "python")


@pytest.mark.slow
def test_tokens_and_pixels_are_the_same_with_torchvision(
    moved_run: Callable[..., Run], picture: Path, python_with_torchvision: str
) -> None:
    """Torchvision rounds in its own way: some pixels differ by one of 255 levels, times 3 for the inverted colours."""
    samples = dict(merge(name, moved_run, picture) for name in ALL)
    subprocess.run([python_with_torchvision, "-c", STOCK, picture, QUESTION, *samples], check=True)
    for folder, sample in samples.items():
        compare(folder, sample, tolerance=3 * 1.01 / 255)
