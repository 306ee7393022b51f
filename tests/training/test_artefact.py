"""Check that plain peft and transformers need only a trained run's adapter folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from PIL import Image
from transformers import AutoTokenizer, Qwen2VLForConditionalGeneration
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from circuitvlm.report.grade import Grades
from tests.training.stopping import ROOT

BASE = ROOT / "weights" / "circuit-tiny"
COUNT = 16


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short main job on the small base, as its user would start it."""
    folder = tmp_path_factory.mktemp("artefact") / "run"
    words = [
        "max_steps=6", "validate_every_n_steps=6", "validate_items=4", "eval_splits=[test_style]",
        f"eval_items={COUNT}",
        "baselines=null", "num_workers=0", "data.circuits.num_workers=0", "data.circuits.splits.train.count=64",
        f"data.circuits.splits.test_style.count={COUNT}", "data.circuits.splits.validation.count=4",
        f"data.circuits.cache={folder.parent / 'cache'}", f"folder={folder}", "quantization=none", "precision=32-true",
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "train.py", *words], cwd=ROOT, capture_output=True, text=True, timeout=400, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return folder


def test_the_folder_loads_with_peft_and_transformers_alone(run: Path) -> None:
    adapter = run / "adapter"
    plain = Qwen2VLForConditionalGeneration.from_pretrained(BASE, dtype=torch.float32)
    net = PeftModel.from_pretrained(plain, str(adapter)).eval()
    tokenizer = AutoTokenizer.from_pretrained(adapter)
    images = Qwen2VLImageProcessorPil.from_pretrained(adapter)
    items = Grades.load(run / "replies" / "test_style" / "scores.json").items
    pictures = {path.name: path for path in run.parent.glob("cache/test_style-*/images/**/*.png")}
    assert len(items) == COUNT
    for item in items:
        picture = pictures[f"{item.id.rsplit('-', 1)[1].split('#')[0]}.png"]
        assert answer(net, tokenizer, images, picture) == item.reply, item.id


def answer(net: PeftModel, tokenizer: Any, images: Qwen2VLImageProcessorPil, picture: Path) -> str:
    """Greedy decoding as any user of transformers writes it, with nothing of this project."""
    seen = images(images=[Image.open(picture).convert("RGB")], return_tensors="pt")
    content = [{"type": "image"}, {"type": "text", "text": "Netlist?"}]
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
    )
    count = int(seen["image_grid_thw"].prod()) // images.merge_size**2
    ids = tokenizer(
        text.replace("<|image_pad|>", "<|image_pad|>" * count), return_tensors="pt", add_special_tokens=False
    )["input_ids"]
    types = (ids == net.config.image_token_id).int()
    with torch.no_grad():
        out = net.generate(input_ids=ids, mm_token_type_ids=types, max_new_tokens=120, do_sample=False, **seen)
    reply: str = tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True)
    return reply


def test_eval_gives_the_same_scores_again(run: Path) -> None:
    done = subprocess.run(
        [sys.executable, "eval.py", f"run={run}", f"out={run / 'again'}"],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    first, again = (Grades.load(run / where / "test_style" / "scores.json") for where in ("replies", "again"))
    assert [item.reply for item in first.items] == [item.reply for item in again.items]
    assert (run / "again" / "table.md").read_text().startswith("**netlist/")
