"""Check that a new small model can learn at all, and from the image (minutes, so slow)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OVERFIT = [
    "experiment=tiny_words",
    "data.circuits.splits.train.count=32",
    "data.circuits.num_workers=0",
    "global_batch_size=32",
    "micro_batch_size=32",
    "max_steps=200",
    "validate_every_n_steps=200",
    "validate_items=8",
    "eval_splits=[train]",
    "logger=csv",
    "callback.pictures=null",
]


def run(*words: str, cache: Path) -> None:
    environment = {**os.environ, "CIRCUITVLM_CACHE": str(cache)}
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]


def share(folder: Path, metric: str) -> float:
    items = json.loads((folder / "train" / "scores.json").read_text())["items"]
    assert len(items) == 32
    return sum(item["scores"][metric] for item in items) / len(items)


@pytest.mark.slow
def test_a_new_model_learns_32_images_by_heart_and_shuffled_images_undo_it(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    run("train.py", *OVERFIT, f"folder={folder}", cache=tmp_path / "cache")
    assert share(folder / "replies", "values") >= 0.9
    run("eval.py", f"run={folder}", "shuffle_images=true", cache=tmp_path / "cache")
    assert share(folder / "shuffled", "values") <= 0.2
