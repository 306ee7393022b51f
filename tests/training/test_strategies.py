"""Check that a run is the same under every strategy and adapter, however its steps are cut, with and without images."""

from __future__ import annotations

import csv
import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from circuitvlm.runtime import seed
from circuitvlm.runtime.config.check import ConfigError, check
from circuitvlm.runtime.config.compose import compose
from circuitvlm.training.batches.sampler import EpochStream, WindowSampler

ROOT = Path(__file__).parents[2]
PROGRAM = """
import json, sys
from pathlib import Path
from circuitvlm.runtime.config.check import check
from circuitvlm.runtime.config.compose import compose
from circuitvlm.runtime.progress import setup_logging
from circuitvlm.training.assemble import Run
setup_logging()
for words in json.loads(sys.argv[1]):
    cfg = compose(words, config_dir=Path(sys.argv[2]))
    check(cfg)
    run = Run(cfg, base=cfg)
    run.train()
    run.evaluate(cfg.eval_splits, items=3, replies_folder=run.folder / "replies")
"""
"""One run after the other: what takes long is to import torch in each process."""

SHARED = [
    "~experiment", "data=[digits,digit_words]", "task=[digit,instruct]", "dropout=constant_none", "precision=32-true",
    "global_batch_size=8", "max_steps=2", "num_workers=0", "logger=csv", "log_every_n_steps=1",
    "checkpoint_every_n_steps=1", "checkpoint_keep=2",
    "eval_splits=[test]", "eval_batch_size=1", "max_new_tokens=3", "baselines={}", "callback=[]",
    "optimizer.lr=0.001", "gradient_clip_val=0.1", "schedule=constant", "~data.digits.splits.validation",
    "data.digits.splits.train.count=8", "data.digits.splits.test.count=8",
    "~data.digit_words.splits.validation", "data.digit_words.splits.train.count=8",
    "data.digit_words.splits.test={count: 8, share: 0.1}",
    "data.digit_words.answer='{label}.'",  # shorter than those about pictures: ranks and micro-batches differ in tokens
]  # fmt: skip
QWEN = [
    "model=qwen2_vl_new",
    "model.shape={hidden: 32, layers: 2, heads: 2, kv_heads: 2, intermediate: 64, vision_hidden: 32, vision_layers: 2,"
    " vision_heads: 2, patch: 14, min_pixels: 3136, max_pixels: 3136}",
]
LAVIN = [
    "model=lavin_new", "model.prefix_tokens=2", "model.prefix_width=16",
    "model.shape={hidden: 32, layers: 2, heads: 2, kv_heads: 2, intermediate: 64, vision_hidden: 32, vision_layers: 2,"
    " vision_heads: 2, image: 28, patch: 14}",
]  # fmt: skip
ADAPTERS = {
    "lora": [*QWEN, "adapter=lora_everywhere"],
    "qlora": [*QWEN, "adapter=lora", "quantization=nf4_float32"],
    "mixture_of_modality": [*LAVIN, "adapter=mixture_of_modality", "adapter.train=[projector]"],
    "projector": [*QWEN, "adapter=projector"],
}
CUT = {"lora": 1, "qlora": 4, "mixture_of_modality": 2, "projector": 4}
"""Samples of each process in a forward pass: 2 x 1 x 4, 2 x 2 x 2 and 2 x 4 are one step of eight."""

CPU = ["trainer.accelerator=cpu", "trainer.devices=2"]


def launch(commands: list[list[str]], *, home: Path, processes: int = 1) -> None:
    """One torchrun for all of these runs."""
    script = home / "program.py"
    script.write_text(PROGRAM)
    torchrun = ["-m", "torch.distributed.run", f"--nproc_per_node={processes}", f"--master_port={_free_port()}"]
    words = [sys.executable, *(torchrun if processes > 1 else []), str(script)]
    told = [*words, json.dumps([[*SHARED, f"model.cache={home / 'cache'}", *c] for c in commands]), str(ROOT / "conf")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CIRCUITVLM_CACHE": str(home / "cache")}
    done = subprocess.run(told, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-8000:]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def losses(folder: Path) -> list[float]:
    with (folder / "csv" / "metrics.csv").open() as file:
        return [float(row["train/loss"]) for row in csv.DictReader(file) if row.get("train/loss")]


def adapter(folder: Path) -> dict[str, torch.Tensor]:
    return dict(load_file(next((folder / "adapter").glob("*.safetensors"))))


def replies(folder: Path) -> list[str]:
    files = (folder / "replies" / "test").glob("replies.*.jsonl")
    return sorted({line for file in files for line in file.read_text().splitlines()})  # a rank may repeat the first


STRATEGIES = {
    "ddp": ["trainer=ddp", *CPU],
    "fsdp2": ["trainer=fsdp2", *CPU],
    "zero2": ["trainer=deepspeed_zero2", *CPU],
    "zero3": ["trainer=deepspeed_zero3", *CPU],
}
REFUSED = {("fsdp2", "qlora"), ("zero3", "qlora")}
CASES = [(s, a) for s in STRATEGIES for a in ADAPTERS if (s, a) not in REFUSED]
SPLITTING = ("fsdp2", "zero2", "zero3")
WHOLE_TO_ANSWER = ("fsdp2", "zero3")
"""They bring the split weights of a net that they have not trained together; ZeRO 2 answers with whole ones."""

ASKED = "mixture_of_modality"
"""Its untrained net has words to say; the other one's says nothing."""

SAMPLES = [*QWEN, "adapter=lora_everywhere", "objective=reply_sample"]
ROUNDED = [*QWEN, "adapter=lora_everywhere", "precision=bf16-mixed"]
AFTER_STEP_1 = shutil.ignore_patterns("step-*2", "adapter", "csv", "replies")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all runs: `one/<name>`, and `<strategy>/<name>` on two processes."""
    home = tmp_path_factory.mktemp("strategies")

    def run(where: str, *words: str, micro_batch: int) -> list[str]:
        return [*words, f"micro_batch_size={micro_batch}", f"folder={home / where}"]

    alone = [run(f"one/{name}", *words, micro_batch=8) for name, words in ADAPTERS.items()]
    alone.append(run("one/accumulated", *ADAPTERS["lora"], micro_batch=4))
    alone.append(run("one/samples", *SAMPLES, micro_batch=8))
    alone.append(run("one/rounded", *ROUNDED, "eval_splits=[]", micro_batch=4))
    launch(alone, home=home)
    several = [run(f"{s}/{a}", *ADAPTERS[a], *STRATEGIES[s], micro_batch=CUT[a]) for s, a in CASES]
    several.append(run("ddp/samples", *SAMPLES, *STRATEGIES["ddp"], micro_batch=2))
    for strategy, words in STRATEGIES.items():
        shutil.copytree(home / "one" / "lora", home / strategy / "resumed", ignore=AFTER_STEP_1)
        several.append(run(f"{strategy}/resumed", *ADAPTERS["lora"], *words, "eval_splits=[]", micro_batch=2))
    for strategy in WHOLE_TO_ANSWER:
        words = [*ADAPTERS[ASKED], *STRATEGIES[strategy], "max_steps=0", f"init_adapter={home / 'one' / ASKED}"]
        several.append(run(f"{strategy}/asked", *words, micro_batch=4))
    for strategy in SPLITTING:
        several.append(run(f"{strategy}/rounded", *ROUNDED, *STRATEGIES[strategy], "eval_splits=[]", micro_batch=4))
    launch(several, home=home, processes=2)
    return home


def assert_same(one: Path, other: Path, *, within: float = 2e-5) -> None:
    assert len(losses(one)) == 2
    assert losses(other) == pytest.approx(losses(one), abs=1e-5)
    assert replies(other) == replies(one)
    assert_same_adapter(one, other, within=within)


def assert_same_adapter(one: Path, other: Path, *, within: float) -> None:
    first, second = adapter(one), adapter(other)
    assert first.keys() == second.keys()
    for key, tensor in first.items():
        assert tensor.dtype == second[key].dtype
        assert torch.allclose(second[key], tensor, atol=within, rtol=0), (key, (second[key] - tensor).abs().max())
    assert files(other / "adapter") == files(one / "adapter")


@pytest.mark.parametrize(("strategy", "name"), CASES)
def test_every_strategy_is_the_run_of_one_process(strategy: str, name: str, runs: Path) -> None:
    assert_same(runs / "one" / name, runs / strategy / name)


def test_accumulation_is_the_same_run(runs: Path) -> None:
    assert_same(runs / "one" / "lora", runs / "one" / "accumulated")


def test_samples_that_count_alike_are_the_same_run_too(runs: Path) -> None:
    one = runs / "one" / "samples"
    assert losses(one) != pytest.approx(losses(runs / "one" / "lora"), abs=1e-3), "replies of all lengths weigh as much"
    # Adam's first steps are as long where a gradient is nearly nothing, which rounding then decides
    assert_same(one, runs / "ddp" / "samples", within=6e-5)


@pytest.mark.parametrize("strategy", SPLITTING)
def test_bfloat16_rounds_what_is_computed_and_not_what_is_trained(strategy: str, runs: Path) -> None:
    one, other = runs / "one" / "rounded", runs / strategy / "rounded"
    assert losses(one) != losses(runs / "one" / "lora")
    assert losses(other) == pytest.approx(losses(one), abs=1e-2)
    for key, tensor in adapter(one).items():
        trained = adapter(other)[key]
        assert trained.dtype == tensor.dtype == torch.float32
        assert not trained.any() or not torch.equal(trained, trained.bfloat16().float()), key


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_run_of_one_process_goes_on_under_every_strategy(strategy: str, runs: Path) -> None:
    one, other = runs / "one" / "lora", runs / strategy / "resumed"
    assert losses(other) == pytest.approx(losses(one)[1:], abs=1e-5)
    assert_same_adapter(one, other, within=2e-5)


@pytest.mark.parametrize("strategy", WHOLE_TO_ANSWER)
def test_what_one_process_has_trained_answers_under_every_strategy(strategy: str, runs: Path) -> None:
    told = replies(runs / "one" / ASKED)
    assert any(json.loads(line)["text"] for line in told)
    assert replies(runs / strategy / "asked") == told


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_writes_the_checkpoint_of_one_process(strategy: str, runs: Path) -> None:
    """With the test above: each goes on from what any of them has written. Nothing frozen is in it."""
    one, other = (
        torch.load(runs / name / "lora" / "checkpoints" / "step-00000002" / "state.ckpt", weights_only=True)
        for name in ("one", strategy)
    )
    assert other["state_dict"].keys() == one["state_dict"].keys() == set(other["trained"])
    assert all("lora_" in name for name in other["trained"])
    close(other["state_dict"], one["state_dict"], within=2e-5)
    (mine,), (theirs,) = other["optimizer_states"], one["optimizer_states"]
    assert [group["params"] for group in mine["param_groups"]] == [group["params"] for group in theirs["param_groups"]]
    assert mine["state"].keys() == theirs["state"].keys()
    for number, state in theirs["state"].items():
        assert float(mine["state"][number]["step"]) == float(state["step"]) == 2
        assert state["exp_avg"].any()
        close(mine["state"][number], state, within=1e-6)


def close(found: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor], *, within: float) -> None:
    assert found.keys() == wanted.keys()
    for key, tensor in wanted.items():
        torch.testing.assert_close(found[key].float(), tensor.float(), atol=within, rtol=1e-3)


def test_some_micro_batches_have_an_image_on_one_rank_alone() -> None:
    """Else nothing above would show that a rank without images keeps step."""
    questions = 16
    for name in ("lora", "mixture_of_modality"):
        ranks = [
            list(WindowSampler(EpochStream(questions, seed.derive_seed(0, "sampler")), windows=2, global_batch_size=8,
                               micro_batch_size=CUT[name], rank=rank, world=2))
            for rank in (0, 1)
        ]  # fmt: skip
        pictured = [[any(k < 8 for k in batch) for batch in batches] for batches in ranks]  # the digits stand first
        assert any(here != there for here, there in zip(*pictured, strict=True)), name


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["trainer=deepspeed_zero2", "optimizer=muon", "optimizer.lr=0.01"], "got Muon; set optimizer=adamw or"),
        (["trainer=deepspeed_zero3", "precision=16-mixed"], "expected 32-true or bf16-mixed"),
        (["trainer=deepspeed_zero3", "quantization=nf4_float32"], "cannot shard a quantized one"),
        (["trainer=fsdp2", "quantization=nf4_float32"], "cannot shard a quantized one"),
        (["trainer=deepspeed_zero2", "trainer.strategy.stage=4"], "expected one of 1, 2, 3, got 4"),
        (["trainer=deepspeed_zero2", "trainer.strategy.offload_parameters=true"], "stage 2 does not shard the weights"),
    ],
)
def test_what_a_strategy_cannot_do_is_refused_before_anything_is_built(words: list[str], why: str) -> None:
    cfg = compose([*SHARED, *ADAPTERS["lora"], *words, *CPU], config_dir=ROOT / "conf")
    with pytest.raises(ConfigError, match=why):
        check(cfg)


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
