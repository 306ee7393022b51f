"""Check that the trainer's strategy can train a run's model, before anything is built."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from circuitvlm.runtime.config.allow_list import TARGET

DEEPSPEED_TARGET = "circuitvlm.training.strategy.DeepSpeed"
FSDP2_TARGETS = ("circuitvlm.training.strategy.Fsdp2", "lightning.pytorch.strategies.ModelParallelStrategy")
ELEMENTWISE_OPTIMIZERS = ("torch.optim.AdamW", "torch.optim.Adam", "torch.optim.SGD")
"""Optimizers that update each number on its own. DeepSpeed gives an optimizer only flat parts of the weights."""


def shards_weights(plain: Mapping[str, Any]) -> bool:
    """Whether each device holds only a part of every weight, frozen weights included."""
    strategy = _section(_section(plain, "trainer"), "strategy")
    target = strategy.get(TARGET)
    return target in FSDP2_TARGETS or (target == DEEPSPEED_TARGET and strategy.get("stage") == 3)


def faults(plain: Mapping[str, Any]) -> Iterator[str]:
    """What the strategy of a run's config cannot do."""
    strategy = _section(_section(plain, "trainer"), "strategy")
    target, stage = strategy.get(TARGET), strategy.get("stage")
    if target not in (DEEPSPEED_TARGET, *FSDP2_TARGETS):
        return
    name = f"DeepSpeed's ZeRO-{stage}" if target == DEEPSPEED_TARGET else "FSDP2"
    if plain.get("precision") == "16-mixed":
        yield f"precision: expected 32-true or bf16-mixed with {name}, got 16-mixed"
    if plain.get("quantization") and shards_weights(plain):
        yield (
            f"quantization: expected none with {name}, which shards every weight and cannot shard a quantized one, got "
            f"{_section(plain, 'quantization').get(TARGET)!r}; set quantization=none, or keep whole quantized weights "
            "on each device by trainer=deepspeed_zero2 or trainer=ddp"
        )
    if target != DEEPSPEED_TARGET:
        return
    optimizer = _section(plain, "optimizer").get(TARGET)
    if isinstance(optimizer, str) and optimizer not in ELEMENTWISE_OPTIMIZERS:
        yield (
            f"optimizer: expected one without a need for whole matrices, since {name} gives it flat parts of the "
            f"weights, got {optimizer.rpartition('.')[2]}; set optimizer=adamw or trainer=ddp"
        )
    if strategy.get("offload_parameters") is True and stage != 3:
        yield (
            f"trainer.strategy.offload_parameters: expected false, since stage {stage} does not shard the weights, got "
            "true; set stage=3 or offload_parameters=false"
        )


def _section(plain: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    section = plain.get(key)
    return section if isinstance(section, Mapping) else {}
