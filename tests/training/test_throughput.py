"""Check the rates over all ranks, and that operations are counted as torch counts them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from circuitvlm.adapter.lora import Lora
from circuitvlm.model.qwen2_vl import Qwen2VL
from circuitvlm.training.callback import throughput
from circuitvlm.training.callback.throughput import Throughput, batch_counts
from circuitvlm.training.flops import component_costs, peak_by_name, total_operations
from circuitvlm.training.module import Module
from tests.contract.harness import Harness, padded_batch

TOKENS = 6


class Chain(nn.Module):
    """Pictures through a tower, words from a table, both through an LLM and its head."""

    def __init__(self) -> None:
        super().__init__()
        self.vision, self.words = nn.Linear(4, 5), nn.Embedding(9, 5)
        self.llm, self.head = nn.ModuleList([nn.Linear(5, 8), nn.Linear(8, 5)]), nn.Linear(5, 7, bias=False)
        self.llm.register_module("words", self.words)
        self.gain = nn.Parameter(torch.ones(5))
        self.llm.register_parameter("gain", self.gain)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = (self.vision(x) + self.words(torch.zeros(TOKENS, dtype=torch.long))) * self.gain
        made: torch.Tensor = self.head(self.llm[1](self.llm[0](x)))
        return made


MAP: Any = SimpleNamespace(components={"vision": ("vision",), "llm": ("llm",), "head": ("head",)})


@pytest.mark.parametrize(
    ("trained", "seen"),
    [
        ({"gain"}, False),
        ({"gain", "llm.0.weight"}, False),
        ({"gain", "llm.0.weight", "llm.1.weight", "head.weight"}, False),
        ({"vision.bias", "llm.1.weight"}, True),
        ({"vision.weight", "head.weight"}, True),
    ],
)
def test_the_arithmetic_of_a_step_is_what_torch_counts(trained: set[str], seen: bool) -> None:
    """`seen`: the picture asks for a gradient, as what is before the first trained weight of a deeper tower does."""
    net = Chain()
    for name, weight in net.named_parameters():
        weight.requires_grad_(name in trained)
    with FlopCounterMode(display=False) as counter:
        net(torch.randn(TOKENS, 4, requires_grad=seen)).sum().backward()
    made = total_operations(component_costs(net, MAP), dict.fromkeys(MAP.components, TOKENS))
    assert made == counter.get_total_flops()


@pytest.mark.parametrize(
    ("name", "precision", "peak"),
    [
        ("NVIDIA H100 80GB HBM3", "bf16-mixed", 989e12),
        ("NVIDIA H100 PCIe", "bf16-mixed", 756e12),
        ("NVIDIA A100-SXM4-80GB", "16-mixed", 312e12),
        ("NVIDIA A100-SXM4-80GB", "32-true", 19.5e12),
        ("NVIDIA A10", "bf16-mixed", 125e12),
        ("Tesla T4", "16-mixed", 65e12),
        ("NVIDIA GeForce GTX 1080", "16-mixed", None),
    ],
)
def test_a_gpu_is_known_by_its_name_or_not_at_all(name: str, precision: str, peak: float | None) -> None:
    assert peak_by_name(name, precision=precision) == peak


def test_padding_is_not_counted(tmp_path: Path) -> None:
    samples = Harness(tmp_path).samples(model(tmp_path, checkpointing=False))
    found = batch_counts(padded_batch(samples, pad=0, side="right")).tolist()
    labelled = sum(int((sample.labels_T != -100).sum()) for sample in samples)
    image = sum(int((sample.image_T >= 0).sum()) for sample in samples)
    assert found == [len(samples), labelled, image, sum(map(len, samples))]


def model(folder: Path, *, checkpointing: bool) -> Qwen2VL:
    return Qwen2VL(
        weights=None, shape=Qwen2VL.smoke_test_shape, attention="sdpa", gradient_checkpointing=checkpointing,
        min_pixels=None, max_pixels=None, max_tokens=512, reply_tokens=64, cache=str(folder),
    )  # fmt: skip


def trained(folder: Path, *, checkpointing: bool) -> Module:
    given: dict[str, Any] = dict.fromkeys(
        ("codec", "objective", "optimizer", "schedule", "quantization", "adapter_folder", "dropout")
    )
    made = Module(
        model=model(folder, checkpointing=checkpointing), tasks={}, validation_examples={}, dtype=torch.float32, seed=0,
        adapter=Lora(rank=2, alpha=4, rslora=False, targets={"llm": ["q_proj"], "vision": "all"}),
        lr_multipliers={}, max_new_tokens=1, steps=1, log_every_n_steps=1, **given,
    )  # fmt: skip
    made.configure_model()
    return made


class Clock:
    """What the time is, as the test says."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


def ran(callback: Throughput, module: Module, batch: Any, *, ranks: int, clock: Clock) -> dict[str, float]:
    """Two optimizer steps of two micro-batches each, in 6 s with 2.5 s of waiting, and 20 s of validation between."""
    logged: dict[int, dict[str, float]] = {}
    logger = SimpleNamespace(log_metrics=lambda metrics, step: logged.update({step: metrics}))
    strategy = SimpleNamespace(reduce=lambda t, reduce_op: t * ranks if reduce_op == "sum" else t)
    trainer: Any = SimpleNamespace(
        global_step=0, world_size=ranks, loggers=[logger], strategy=strategy, precision="32-true"
    )
    callback.on_train_start(trainer, module)
    for step, (waited, worked) in enumerate([(1.0, 1.0), (0.5, 1.0), (0.5, 0.5), (0.5, 1.0)], start=1):
        clock.now += waited
        callback.on_train_batch_start(trainer, module, batch, step)
        assert module.net is not None
        loss = module.net(batch).sum()
        callback.on_before_backward(trainer, module, loss)
        loss.backward()
        clock.now += worked
        trainer.global_step = step // 2
        callback.on_train_batch_end(trainer, module, None, batch, step)
        if step == 2:
            callback.on_validation_start(trainer, module)
            clock.now += 20
            callback.on_validation_end(trainer, module)
    callback.on_train_end(trainer, module)
    assert list(logged) == [2]
    return logged[2]


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("checkpointing", [False, True])
def test_rates_are_sums_over_ranks_by_the_time_without_validation(
    ranks: int, checkpointing: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, module = Clock(), trained(tmp_path, checkpointing=checkpointing)
    monkeypatch.setattr(throughput, "time", clock)
    samples = Harness(tmp_path).samples(module.model)
    batch = padded_batch(samples, pad=0, side="right")
    found = ran(Throughput(every=2, peak_flops=1e9), module, batch, ranks=ranks, clock=clock)
    done, labelled, image, tokens = (4 * ranks * count / 6 for count in batch_counts(batch).tolist())
    assert found.pop("throughput/peak_memory_gb") > 0.05
    patches = 4 * ranks * len(batch.vision["pixel_values"]) / 6
    assert module.net is not None
    each = component_costs(module.net.weights.get_base_model(), module.model)  # type: ignore[operator]  # PEFT's own method
    flops = total_operations(each, {"vision": patches, "projector": image, "llm": tokens, "head": labelled})
    assert found == pytest.approx(
        {
            "throughput/samples_per_second": done,
            "throughput/answer_tokens_per_second": labelled,
            "throughput/image_tokens_per_second": image,
            "throughput/data_wait_share": 2.5 / 6,
            "throughput/mfu": flops / (ranks * 1e9),
        }
    )


def test_where_no_device_is_known_nothing_is_said_of_its_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, module = Clock(), trained(tmp_path, checkpointing=False)
    monkeypatch.setattr(throughput, "time", clock)
    batch = padded_batch(Harness(tmp_path).samples(module.model)[1:2], pad=0, side="right")
    found = ran(Throughput(every=2, peak_flops=None), module, batch, ranks=1, clock=clock)
    assert "throughput/mfu" not in found
    assert found["throughput/image_tokens_per_second"] == 0


@pytest.mark.parametrize("wrong", [{"every": 0, "peak_flops": None}, {"every": 1, "peak_flops": 0.0}])
def test_what_cannot_be_counted_by_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"callback\.throughput: expected every"):
        Throughput(**wrong)
