"""Distribute a run over processes: DDP, FSDP2 and DeepSpeed."""

from circuitvlm.training.strategy.strategy import Ddp, DeepSpeed, Fsdp2

__all__ = ["Ddp", "DeepSpeed", "Fsdp2"]
