"""What becomes of a run that fails? Every rank stops before the step, and the reason is said and written down."""

from __future__ import annotations

import json
import logging
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.strategies.launchers.subprocess_script import _SubprocessScriptLauncher
from torch import distributed
from torch.optim import Optimizer

from circuitvlm.runtime.config import strategy_check
from circuitvlm.runtime.folders import run_folder as folders
from circuitvlm.training.module import Module, NonFiniteLossError

NON_FINITE = "non_finite.json"
"""In the run's folder: the step, and on each rank the ids of every batch whose loss was NaN or infinite."""

log = logging.getLogger(__name__)


class Guard(Callback):
    """Stops all ranks before a step that a loss of any of them would spoil; says what to lower where memory ends; ends
    the processes that Lightning has launched when this one fails.

    `settings` are the run's, for what can be lowered in them.
    """

    def __init__(self, run: Path, *, settings: Mapping[str, Any]) -> None:
        self.run, self.settings = run, settings

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        """All ranks ask each other: one that raised alone would leave the others waiting for it.

        Raises NonFiniteLossError on every rank.
        """
        assert isinstance(pl_module, Module), "only our module notes odd losses"
        if not trainer.strategy.reduce_boolean_decision(bool(pl_module.odd), all=False):
            return
        by_rank: list[Any] = [pl_module.odd]
        if distributed.is_available() and distributed.is_initialized():
            by_rank = [None] * distributed.get_world_size()
            distributed.all_gather_object(by_rank, pl_module.odd)
        said = {"step": trainer.global_step, "ranks": dict(enumerate(by_rank))}
        if trainer.is_global_zero:
            folders.write_atomic(self.run / NON_FINITE, json.dumps(said, indent=1) + "\n")
        where = "; ".join(
            f"{batch['loss']} on {', '.join(batch['ids'])} (rank {rank})"
            for rank, batches in enumerate(by_rank)
            for batch in batches
        )
        raise NonFiniteLossError(
            f"step {trainer.global_step}: the loss is {where}. No rank has made the step; the ids are in "
            f"{self.run / NON_FINITE}, and the last checkpoint is of before. Try a lower optimizer.lr, or 32-true"
        )

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        if ran_out(exception):
            exception.add_note(advice(self.settings))
        if isinstance(exception, KeyboardInterrupt):
            log.warning(
                "interrupted at step %d; the same command goes on from the last checkpoint", trainer.global_step
            )
        launcher = trainer.strategy.launcher
        if isinstance(launcher, _SubprocessScriptLauncher):  # they would wait for this rank until their time is over
            launcher.kill(signal.SIGKILL)
            launcher.procs.clear()  # whose watcher would kill this rank too, and its own status would be lost


def ran_out(error: BaseException) -> bool:
    """Whether an error says that memory has come to its end, the GPU's or the machine's."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)


def advice(settings: Mapping[str, Any]) -> str:
    """What of a run takes less memory when it is lowered, with the value that it has now."""
    model, micro = settings["model"], settings["micro_batch"]
    ways = []
    if micro > 1:
        ways.append(f"micro_batch={max(1, micro // 2)} (now {micro}; the run stays the same, only its cut changes)")
    if "gradient_checkpointing" in model and not model["gradient_checkpointing"]:
        ways.append("model.gradient_checkpointing=true (activations are computed once more)")
    if "max_pixels" in model:
        now = model["max_pixels"] or "the processor's own"
        ways.append(f"model.max_pixels lower (now {now}; images have fewer tokens)")
    if "longest_edge" in model:
        now = model["longest_edge"] or "the processor's own"
        ways.append(f"model.longest_edge lower (now {now}; images have fewer tiles), or model.split=false")
    ways.append("predict_batch lower, if it was while validating or answering")
    if not settings["quantization"]:  # quantized weights cannot be split, nor split ones quantized
        if not strategy_check.splits(settings):
            ways.append("quantization=nf4 (frozen weights in 4 bits), or trainer=fsdp2 (weights over all devices)")
        ways.append("trainer=deepspeed_zero3_offload (weights over all devices, in the CPU's memory)")
    return "Memory has come to its end. What takes less of it:\n" + "\n".join(f"  {way}" for way in ways)
