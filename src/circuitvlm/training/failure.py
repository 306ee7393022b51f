"""Stop a failing run on all ranks, and report the reason."""

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
from torch.optim import Optimizer

from circuitvlm.core.sharded import non_finite_names
from circuitvlm.runtime.config import strategy_check
from circuitvlm.runtime.folders import run_folder as folders
from circuitvlm.training.checkpoint.finite import NonFiniteError
from circuitvlm.training.module import Module
from circuitvlm.training.ranks import gather

NON_FINITE = "non_finite.json"
"""In the run's folder: the step, by rank the ids of every batch whose loss was NaN or infinite, and the names of the
weights with such a gradient."""

log = logging.getLogger(__name__)


class FailureCallback(Callback):
    """Stops all ranks before a step with a non-finite loss, advises when memory runs out, and ends the processes that
    Lightning has launched when this one fails.

    `settings` are the run's, for the advice.
    """

    def __init__(self, run: Path, *, settings: Mapping[str, Any]) -> None:
        self.run, self.settings = run, settings

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        """Raise NonFiniteError on every rank if a loss or a gradient of any rank is not finite.

        The ranks exchange what they have first: if one raised alone, the others would wait for it. A scaler of float16
        expects infinite gradients, and leaves out their steps itself.
        """
        assert isinstance(pl_module, Module), "only our module records non-finite losses"
        losses, gradients = pl_module.non_finite_losses, []
        if getattr(trainer.precision_plugin, "scaler", None) is None:
            gradients = non_finite_names({n: p.grad for n, p in pl_module.named_parameters() if p.grad is not None})
        if not trainer.strategy.reduce_boolean_decision(bool(losses or gradients), all=False):
            return
        by_rank = gather((losses, gradients))
        record: dict[str, Any] = {"step": trainer.global_step, "ranks": {k: part[0] for k, part in enumerate(by_rank)}}
        record["gradients"] = sorted({name for _, names in by_rank for name in names})
        if trainer.is_global_zero:
            folders.write_atomic(self.run / NON_FINITE, json.dumps(record, indent=1) + "\n")
        batches = [
            f"{batch['loss']} on {', '.join(batch['ids'])} (rank {rank})"
            for rank, of_rank in record["ranks"].items()
            for batch in of_rank
        ]
        names = record["gradients"]
        expected, actual = ("loss", "; ".join(batches)) if batches else ("gradient", f"others of {len(names)} weights")
        example = "" if batches else f", such as {names[0]}"
        raise NonFiniteError(
            f"step {trainer.global_step}: expected a finite {expected}, got {actual}{example}. No rank has made the "
            f"step, and the last checkpoint is older. Details are in {self.run / NON_FINITE}. Try a lower "
            "optimizer.lr, gradient_clip_val=1, or precision=32-true"
        )

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        if is_out_of_memory(exception):
            exception.add_note(memory_advice(self.settings))
        if isinstance(exception, KeyboardInterrupt):
            log.warning(
                "interrupted at step %d; the same command resumes from the last checkpoint", trainer.global_step
            )
        launcher = trainer.strategy.launcher
        if isinstance(launcher, _SubprocessScriptLauncher):  # its processes would wait for this rank until the timeout
            launcher.kill(signal.SIGKILL)
            launcher.procs.clear()  # whose watcher would kill this rank too, and its own status would be lost


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the memory of the GPU or of the machine was not enough."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)


def memory_advice(settings: Mapping[str, Any]) -> str:
    """The settings of a run that can be changed to use less memory, with their present values."""
    model, micro_batch_size = settings["model"], settings["micro_batch_size"]
    changes = []
    if micro_batch_size > 1:
        changes.append(
            f"micro_batch_size={micro_batch_size // 2} (now {micro_batch_size}; the steps stay the same, only their "
            "division into micro-batches changes)"
        )
    if "gradient_checkpointing" in model and not model["gradient_checkpointing"]:
        changes.append("model.gradient_checkpointing=true (activations are computed twice)")
    for key, effect in (("max_pixels", "tokens"), ("longest_edge", "tiles; or model.split=false")):
        if key in model:
            changes.append(f"lower model.{key} (now {model[key] or 'as in the processor'}; images have fewer {effect})")
    changes.append("lower eval_batch_size, if it failed while validating or predicting")
    if not settings["quantization"]:  # quantized weights cannot be sharded, nor sharded ones quantized
        if not strategy_check.shards_weights(settings):
            changes.append("quantization=nf4 (frozen weights in 4 bits), or trainer=fsdp2 (weights over all devices)")
        changes.append("trainer=deepspeed_zero3_offload (weights over all devices, in the CPU's memory)")
    return "Out of memory. These settings need less:\n" + "\n".join(f"  {change}" for change in changes)
