"""Does a run learn the same, however its window is cut? One process, accumulation, two processes; and FSDP2 starts."""

from __future__ import annotations

import csv
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

ROOT = Path(__file__).parents[2]
SMALL = [
    "experiment=tiny_circuits",
    "model=qwen2_vl_new",
    "model.shape={hidden: 64, layers: 2, heads: 2, kv_heads: 2, intermediate: 128, vision_hidden: 64, vision_layers: 2,"
    " vision_heads: 2, patch: 14, min_pixels: 3136, max_pixels: 37632}",
    "quantization=none",
    "precision=32-true",
    "steps=3",
    "global_batch=8",
    "validate_every=3",
    "validate_items=4",
    "predict_batch=4",
    "evaluate=[]",
    "controls=null",
    "logger=csv",
    "log_every=1",
    "workers=0",
    "callback.pictures=null",
    "data.circuits.workers=0",
    "data.circuits.splits.train.count=24",
    "data.circuits.splits.validation.count=4",
]


COMMANDS = f"""
import json, runpy, sys
for words in json.loads(sys.argv[1]):
    sys.argv = [{str(ROOT / "train.py")!r}, *words]
    runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""train.py with one list of overrides after the other: what takes long is to import torch in each process."""


def launch(*commands: list[str], cache: Path, processes: int = 1) -> None:
    """Run train.py as its user would, under torchrun where there are several processes, once for each command."""
    script = cache.with_name("commands.py")
    script.write_text(COMMANDS)
    python = [sys.executable]
    if processes > 1:
        python += ["-m", "torch.distributed.run", f"--nproc_per_node={processes}", f"--master_port={_free_port()}"]
    words = [*python, str(script), json.dumps([[*SMALL, *command] for command in commands])]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CIRCUITVLM_CACHE": str(cache)}
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]


def losses(folder: Path) -> list[float]:
    with (folder / "csv" / "metrics.csv").open() as file:
        return [float(row["train/loss"]) for row in csv.DictReader(file) if row.get("train/loss")]


def tokens(folder: Path) -> list[float]:
    """Answer tokens of each step but the first, told from the two rates that are logged over the same seconds."""
    with (folder / "csv" / "metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row.get("train/steps_per_second")]
    return [float(row["train/answer_tokens_per_second"]) / float(row["train/steps_per_second"]) for row in rows]


def weights(folder: Path) -> dict[str, object]:
    return dict(load_file(folder / "adapter" / "adapter_model.safetensors"))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


TWO = ["trainer.accelerator=cpu", "trainer.devices=2"]
ALIKE = ["objective=reply_sample"]
ONE_PROCESS = {
    "one": ["micro_batch=8"],
    "accumulated": ["micro_batch=4"],
    "unclipped": ["micro_batch=8", "clip=null"],
    "samples": ["micro_batch=8", *ALIKE],
}
TWO_PROCESSES = {
    "ddp": ["micro_batch=4", "trainer=ddp", *TWO],
    "samples_ddp": ["micro_batch=2", "trainer=ddp", *TWO, *ALIKE],
    "fsdp2": ["micro_batch=4", "trainer=fsdp2", *TWO, "clip=null"],
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all runs, by their names."""
    home = tmp_path_factory.mktemp("ranks")
    for processes, cases in ((1, ONE_PROCESS), (2, TWO_PROCESSES)):
        commands = [[*words, f"folder={home / name}"] for name, words in cases.items()]
        launch(*commands, cache=home / "cache", processes=processes)
    return home


def assert_same(one: Path, other: Path, *, within: float = 2e-5) -> None:
    assert len(losses(one)) == 3
    assert losses(other) == pytest.approx(losses(one), abs=1e-5)
    assert tokens(one)
    assert tokens(other) == pytest.approx(tokens(one), rel=1e-9), "rank 0 does not speak for the others"
    for name, tensor in weights(one).items():
        assert weights(other)[name].float().numpy() == pytest.approx(tensor.float().numpy(), abs=within), name


@pytest.mark.parametrize("other", ["accumulated", "ddp"])
def test_accumulation_and_two_processes_are_the_same_run(other: str, runs: Path) -> None:
    assert_same(runs / "one", runs / other)


def test_fsdp2_on_two_processes_is_the_same_run(runs: Path) -> None:
    assert_same(runs / "unclipped", runs / "fsdp2")


def test_samples_that_count_alike_are_the_same_run_too(runs: Path) -> None:
    assert losses(runs / "samples") != pytest.approx(losses(runs / "one"), abs=1e-3), (
        "replies of all lengths weigh as much"
    )
    # Adam's first steps are as long where a gradient is nearly nothing, which rounding then decides
    assert_same(runs / "samples", runs / "samples_ddp", within=6e-5)
