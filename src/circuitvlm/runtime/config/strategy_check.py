"""Can a run be spread over processes as its trainer says? What cannot be is told before anything is built."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from circuitvlm.runtime.config.allow_list import TARGET

DEEPSPEED = "circuitvlm.training.strategy.DeepSpeed"
FSDP2 = ("circuitvlm.training.strategy.Fsdp2", "lightning.pytorch.strategies.ModelParallelStrategy")
ELEMENTWISE = ("torch.optim.AdamW", "torch.optim.Adam", "torch.optim.SGD")
"""Optimizers that move each number by itself: DeepSpeed shows them nothing but flat parts of the weights."""


def splits(plain: Mapping[str, Any]) -> bool:
    """Whether a device holds but a part of every weight, frozen ones too."""
    strategy = _section(_section(plain, "trainer"), "strategy")
    return strategy.get(TARGET) in FSDP2 or (strategy.get(TARGET) == DEEPSPEED and strategy.get("stage") == 3)


def faults(plain: Mapping[str, Any]) -> Iterator[str]:
    """What of a run's config its strategy cannot do."""
    strategy = _section(_section(plain, "trainer"), "strategy")
    kind, stage = strategy.get(TARGET), strategy.get("stage")
    if kind not in (DEEPSPEED, *FSDP2):
        return
    name = f"DeepSpeed's ZeRO-{stage}" if kind == DEEPSPEED else "FSDP2"
    if plain.get("precision") == "16-mixed":
        yield f"precision: {name} wanted 32-true or bf16-mixed, came 16-mixed"
    if plain.get("quantization") and splits(plain):
        yield (
            f"quantization: {name} splits every weight, and a quantized one cannot be split. Say quantization=none, or "
            "trainer=deepspeed_zero2 or trainer=ddp, where each device holds the quantized weights whole"
        )
    if kind != DEEPSPEED:
        return
    optimizer = _section(plain, "optimizer").get(TARGET)
    if isinstance(optimizer, str) and optimizer not in ELEMENTWISE:
        yield (
            f"optimizer: {optimizer.rpartition('.')[2]} needs whole matrices, of which {name} gives it flat parts; say "
            "optimizer=adamw, or trainer=ddp"
        )
    if strategy.get("offload_parameters") is True and stage != 3:
        yield f"trainer.strategy.offload_parameters: stage {stage} splits no weights; say stage=3, or false"


def _section(plain: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = plain.get(key)
    return found if isinstance(found, Mapping) else {}
