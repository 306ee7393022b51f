"""How fast is it, and what does it wait for? Rates over all ranks, the share of waiting, memory and MFU, logged."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from lightning import Callback, LightningModule, Trainer
from torch import Tensor, nn

from circuitvlm.core.tensor import IMAGE, Batch
from circuitvlm.model.base.generation import plain
from circuitvlm.training.flops import Cost, costs, device_peak, operations
from circuitvlm.training.module import Module
from circuitvlm.training.peak_memory import peak

COUNTED = ("samples", "answer_tokens", "image_tokens", "tokens")


class Throughput(Callback):
    """Every `every` optimizer steps, as `throughput/..` in the loggers, for the time since the last of these:

    samples, answer tokens and image tokens a second, summed over the ranks; data_wait_share, of the time (reading the
    next batch and moving it to the device, as seen between two steps; a validation counts for nothing);
    peak_memory_gb of the rank that has most (peak.py); mfu, the arithmetic of its tokens (_flops.py) as a share of what
    all devices could do: `peak_flops` each, or by their name where that is null, else it is left out.
    """

    infrastructure: ClassVar[bool] = True

    def __init__(self, *, every: int, peak_flops: float | None) -> None:
        if every < 1 or (peak_flops is not None and not peak_flops > 0):
            raise ValueError(
                f"callback.throughput: every={every}, peak_flops={peak_flops}; wanted 1 or more steps, and operations "
                "a second above 0 or null"
            )
        self.every, self.peak_flops = every, peak_flops
        self.last: dict[str, float] = {}
        self._costs: Mapping[str, Cost] = {}
        self._hooks: list[Any] = []
        self._forward = False
        self._step = -1
        self._sums: Tensor | None = None
        self._paused_at = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, Module), "the rates are those of a Module's batches"
        assert pl_module.net is not None, "configure_model() comes first"
        if self.peak_flops is None:
            self.peak_flops = device_peak(pl_module.device, precision=str(trainer.precision))
        if self.peak_flops is not None:
            net = plain(pl_module.net.weights)
            self._costs = costs(net, pl_module.model)
            self._watch(net, pl_module)
        self._step = trainer.global_step
        self._forget()

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        self._waited += time.monotonic() - self._ended
        self._forward = True

    def on_before_backward(self, trainer: Trainer, pl_module: LightningModule, loss: Tensor) -> None:
        self._forward = False  # checkpointing goes through the tower again

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        more = counted(batch)
        self._sums = more if self._sums is None else self._sums + more
        if trainer.global_step % self.every == 0 and trainer.global_step != self._step:
            self._step = trainer.global_step
            self._log(trainer, pl_module.device)
            self._forget()
        self._ended = time.monotonic()

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._paused_at = time.monotonic()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        pause = time.monotonic() - self._paused_at
        if self._step >= 0:
            self._began += pause
            self._ended += pause

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks = []

    def _forget(self) -> None:
        self._began = self._ended = time.monotonic()
        self._waited = 0.0
        self._looked = 0
        self._sums = None

    def _watch(self, net: nn.Module, module: Module) -> None:
        """Count the places that go through the tower: a family's own, many for one token of an image."""
        prefixes = module.model.components.get("vision", ())
        for path in module.model.blocks:
            if any(path == prefix or path.startswith(f"{prefix}.") for prefix in prefixes):
                first = next(iter(net.get_submodule(path).children()))
                self._hooks.append(first.register_forward_pre_hook(self._look, with_kwargs=True))

    def _look(self, block: nn.Module, given: tuple[Any, ...], named: Mapping[str, Any]) -> None:
        if self._forward:
            hidden = next(value for value in (*given, *named.values()) if isinstance(value, Tensor))
            self._looked += hidden.numel() // hidden.shape[-1]

    def _log(self, trainer: Trainer, device: torch.device) -> None:
        assert self._sums is not None, "a batch has just ended"
        own = [*self._sums.tolist(), self._looked, self._waited, time.monotonic() - self._began]
        sums = torch.tensor(own, dtype=torch.float64, device=device)
        most = torch.tensor(float(peak(device)), dtype=torch.float64, device=device)
        if trainer.world_size > 1:
            sums, most = trainer.strategy.reduce(sums, reduce_op="sum"), trainer.strategy.reduce(most, reduce_op="max")
        self.last = {f"throughput/{name}": value for name, value in self._rates(sums.tolist(), trainer.world_size)}
        self.last["throughput/peak_memory_gb"] = float(most) / 1e9
        for logger in trainer.loggers:
            logger.log_metrics(self.last, step=trainer.global_step)

    def _rates(self, sums: list[float], ranks: int) -> list[tuple[str, float]]:
        *counts, looked, waited, elapsed = sums
        done = dict(zip(COUNTED, counts, strict=True))
        seconds = elapsed / ranks
        rates = [(f"{name}_per_second", done[name] / seconds) for name in COUNTED if name != "tokens"]
        rates.append(("data_wait_share", waited / elapsed))
        if self.peak_flops is not None:
            through = {"vision": looked, "projector": done["image_tokens"], "llm": done["tokens"]}
            flops = operations(self._costs, {**through, "head": done["answer_tokens"]})
            rates.append(("mfu", flops / (elapsed * self.peak_flops)))
        return rates


def counted(batch: Batch) -> Tensor:
    """How many of each of COUNTED a batch holds, without padding; on its device, which is not waited for."""
    real_BT = batch.segment_BT >= 0
    image_BT = real_BT & (batch.modality_BT == IMAGE)
    samples = torch.full((), float(len(batch)), dtype=torch.float64, device=real_BT.device)
    return torch.stack([samples, *(places.sum().double() for places in (batch.asked, image_BT, real_BT))])
