"""Log the throughput of training: rates over all ranks, the share of waiting for data, memory and MFU."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from lightning import Callback, LightningModule, Trainer
from torch import Tensor, nn

from circuitvlm.core.tensor import IMAGE, Batch
from circuitvlm.model.base.language_model import base_model
from circuitvlm.training.flops import component_costs, device_peak, total_operations
from circuitvlm.training.module import Module
from circuitvlm.training.peak_memory import peak_bytes

COUNT_NAMES = ("samples", "answer_tokens", "image_tokens", "tokens")


class Throughput(Callback):
    """Logs as `throughput/..`, every `every` optimizer steps, for the time since the last such step:

    - samples, answer tokens and image tokens a second, summed over the ranks;
    - data_wait_share, the share of time for reading the next batch and moving it to the device, without validations;
    - peak_memory_gb of the rank with the largest peak (peak_memory.py);
    - mfu, the operations of its tokens (flops.py) as a share of what all devices could do. That is `peak_flops` for
      each, or by their name where it is null; without either, mfu is left out.
    """

    infrastructure: ClassVar[bool] = True

    def __init__(self, *, every: int, peak_flops: float | None) -> None:
        if every < 1 or (peak_flops is not None and not peak_flops > 0):
            raise ValueError(
                f"callback.throughput: expected every >= 1 step and peak_flops > 0 or null, got every={every}, "
                f"peak_flops={peak_flops}"
            )
        self.every, self.peak_flops = every, peak_flops
        self._costs: Mapping[str, float] = {}
        self._hooks: list[Any] = []
        self._is_forward_pass = False
        self._step = -1
        self._counts: Tensor | None = None
        self._pause_start = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, Module), "the rates are those of a Module's batches"
        if self.peak_flops is None:
            self.peak_flops = device_peak(pl_module.device, precision=str(trainer.precision))
        if self.peak_flops is not None:
            net = base_model(pl_module.built_net.weights)
            self._costs = component_costs(net, pl_module.model)
            self._count_vision_tokens(net, pl_module)
        self._step = trainer.global_step
        self._reset()

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        self._wait_seconds += time.monotonic() - self._batch_end
        self._is_forward_pass = True

    def on_before_backward(self, trainer: Trainer, pl_module: LightningModule, loss: Tensor) -> None:
        self._is_forward_pass = False  # checkpointing runs the vision tower again

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        counts = batch_counts(batch)
        self._counts = counts if self._counts is None else self._counts + counts
        if trainer.global_step % self.every == 0 and trainer.global_step != self._step:
            self._step = trainer.global_step
            self._log(trainer, pl_module.device)
            self._reset()
        self._batch_end = time.monotonic()

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._pause_start = time.monotonic()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._step >= 0:
            pause = time.monotonic() - self._pause_start
            self._start += pause
            self._batch_end += pause

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks = []

    def _reset(self) -> None:
        self._start = self._batch_end = time.monotonic()
        self._wait_seconds = 0.0
        self._vision_tokens = 0
        self._counts = None

    def _count_vision_tokens(self, net: nn.Module, module: Module) -> None:
        """Count the tokens of the vision tower, of which a family may have many for one image token of the LLM."""
        prefixes = module.model.components.get("vision", ())
        for path in module.model.blocks:
            if any(path == prefix or path.startswith(f"{prefix}.") for prefix in prefixes):
                first_block = next(iter(net.get_submodule(path).children()))
                self._hooks.append(first_block.register_forward_pre_hook(self._add_vision_tokens, with_kwargs=True))

    def _add_vision_tokens(self, block: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        if self._is_forward_pass:
            states = next(value for value in (*args, *kwargs.values()) if isinstance(value, Tensor))
            self._vision_tokens += states.numel() // states.shape[-1]

    def _log(self, trainer: Trainer, device: torch.device) -> None:
        assert self._counts is not None, "a batch has just ended"
        values = [*self._counts.tolist(), self._vision_tokens, self._wait_seconds, time.monotonic() - self._start]
        sums = torch.tensor(values, dtype=torch.float64, device=device)
        peak = torch.tensor(float(peak_bytes(device)), dtype=torch.float64, device=device)
        if trainer.world_size > 1:
            sums, peak = trainer.strategy.reduce(sums, reduce_op="sum"), trainer.strategy.reduce(peak, reduce_op="max")
        rates = {f"throughput/{name}": value for name, value in self._rates(sums.tolist(), trainer.world_size)}
        rates["throughput/peak_memory_gb"] = float(peak) / 1e9
        for logger in trainer.loggers:
            logger.log_metrics(rates, step=trainer.global_step)

    def _rates(self, sums: list[float], ranks: int) -> list[tuple[str, float]]:
        *count_values, vision_tokens, wait_seconds, seconds = sums
        counts = dict(zip(COUNT_NAMES, count_values, strict=True))
        rates = [(f"{name}_per_second", counts[name] / (seconds / ranks)) for name in COUNT_NAMES if name != "tokens"]
        rates.append(("data_wait_share", wait_seconds / seconds))
        if self.peak_flops is not None:
            tokens = {
                "vision": vision_tokens,
                "projector": counts["image_tokens"],
                "llm": counts["tokens"],
                "head": counts["answer_tokens"],
            }
            rates.append(("mfu", total_operations(self._costs, tokens) / (seconds * self.peak_flops)))
        return rates


def batch_counts(batch: Batch) -> Tensor:
    """The counts of COUNT_NAMES in a batch, without padding, as a float64 tensor on its device (no synchronization)."""
    real_BT = batch.segment_BT >= 0
    image_BT = real_BT & (batch.modality_BT == IMAGE)
    samples = torch.full((), float(len(batch)), dtype=torch.float64, device=real_BT.device)
    return torch.stack([samples, *(mask.sum().double() for mask in (batch.target_mask, image_BT, real_BT))])
