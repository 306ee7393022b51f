"""What is one step? The LightningModule: it holds the net and knows neither dataset nor metric's meaning."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from lightning import LightningModule
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR
from torchmetrics import MeanMetric

from circuitvlm.core.contract import Adapter, Codec, Dropout, Model, Objective, Schedule, Task
from circuitvlm.core.record import Example, Reply
from circuitvlm.core.tensor import Batch, Tally
from circuitvlm.training.batches.collator import Told
from circuitvlm.training.batches.data_module import SOURCE
from circuitvlm.training.checkpoint import random_state
from circuitvlm.training.network import Net
from circuitvlm.training.parameter_groups import groups
from circuitvlm.training.replies import ReplyWriter, forget_replies
from circuitvlm.training.strategy.shard import shard

log = logging.getLogger(__name__)


class NonFiniteLossError(RuntimeError):
    """The loss of a batch is NaN or infinite on some rank; the message names the batch's replies."""


class Module(LightningModule):
    """Trains an adapter on a frozen net; validates and predicts by generating replies.

    The net is built in `configure_model`, once per rank, under the strategy's own context. `truths` gives the example
    behind a reply's id in validation.
    """

    def __init__(
        self,
        *,
        model: Model,
        codec: Codec,
        adapter: Adapter,
        dropout: Dropout | None,
        objective: Objective,
        optimizer: Callable[..., Optimizer],
        schedule: Schedule,
        tasks: Mapping[str, Task],
        truths: Mapping[str, Example],
        quantization: Any | None,
        dtype: torch.dtype,
        seed: int,
        lr_scale: Mapping[str, float],
        max_new_tokens: int,
        steps: int,
        log_every: int,
        adapter_folder: Any | None,
    ) -> None:
        super().__init__()
        self.model, self.codec, self.adapter, self.dropout = model, codec, adapter, dropout
        self.objective, self.optimizer, self.schedule, self.steps = objective, optimizer, schedule, steps
        self.tasks, self.truths = tasks, truths
        self.quantization, self.dtype_of_base, self.seed = quantization, dtype, seed
        self.lr_scale, self.max_new_tokens, self.adapter_folder = lr_scale, max_new_tokens, adapter_folder
        self.log_every = log_every
        self.net: Net | None = None
        self.odd: list[dict[str, Any]] = []  # batches since the last step whose loss is no number
        self.replies_folder: Path | None = None
        self._writer: ReplyWriter | None = None
        self._random: dict[str, Any] | None = None
        self._started: float | None = None
        self._seconds_before = 0.0
        self.strict_loading = False  # checkpoints hold what is trained, and on_load_checkpoint is strict about that
        self.train_loss, self.validation_loss = MeanMetric(), MeanMetric()
        self.by_source = _asked_by_several(truths.values())
        validated = {example.task for example in truths.values()}  # a score of nothing would be NaN
        asked = [task for task in tasks if task in validated]
        asked += [f"{source}/{task}" for task, source in sorted(self.by_source)]
        self.scores = torch.nn.ModuleDict(
            {f"{words}/{name}": MeanMetric() for words in asked for name in tasks[words.rpartition("/")[2]].metrics}
        )

    def configure_model(self) -> None:
        """Build, quantize, adapt and shard the net, if that has not been done."""
        if self.net is not None:
            return
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            plain = self.model.build(dtype=self.dtype_of_base, quantization=self.quantization)
            weights = self.adapter.attach(plain, self.model, self.dropout)
        if self.adapter_folder is not None:
            self.adapter.load(weights, self.adapter_folder)
        self.net = Net(self.model, weights)
        self.net.train()
        for prefixes in self.model.components.values():
            _rest(plain, prefixes)
        shard(self.net, plain, self.model, mesh=self.device_mesh)

    def training_step(self, batch: Batch) -> Tensor:
        tally = self._tally(batch)
        if not torch.isfinite(tally.sum):
            self.odd.append(
                {"loss": str(float(tally.sum.detach())), "ids": list(batch.ids)}
            )  # the guard tells all ranks
        self.train_loss.update(tally.mean.detach(), weight=tally.count)
        # Lightning and DDP divide by accumulation and ranks; the sum is to be divided by the window's count alone.
        scale = self.trainer.world_size * self.trainer.accumulate_grad_batches
        return tally.sum * scale / max(batch.window_count, 1.0)

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Every `log_every` optimizer steps: the loss over all tokens since the last time, where there were any."""
        if (batch_idx + 1) % (self.log_every * self.trainer.accumulate_grad_batches):
            return
        loss = self.train_loss.compute()  # over all ranks
        self.train_loss.reset()
        if loss.isnan():  # 0/0: every image was unreadable. The loss of a token that is NaN stops the run before
            return
        for logger in self.loggers:
            logger.log_metrics({"train/loss": float(loss)}, step=self.global_step)
        self.log("loss", loss, prog_bar=True, logger=False)

    def validation_step(self, batch: Told) -> list[Reply]:  # type: ignore[override]  # replies go to the callbacks
        tally = self._tally(batch.told)
        replies = self.reply(batch.asked)
        if self.global_rank > 0 and batch.asked.ids[0] == next(iter(self.truths)):
            return []  # sample 0 belongs to rank 0: this rank only kept step with the others (OnceSampler)
        self.validation_loss.update(tally.mean, weight=tally.count)
        for reply in replies:
            task, example = self.tasks[reply.task], self.truths[reply.id]
            read, truth = task.read(reply.text), task.truth(example)
            for name, metric in task.metrics.items():
                score, source = metric.score(read, truth), example.tags.get(SOURCE, "")
                names = [f"{reply.task}/{name}"]
                if (reply.task, source) in self.by_source:
                    names.append(f"{source}/{names[0]}")
                for each in names:
                    self._score(each).update(score.value, weight=score.weight)
        return replies

    def predict_step(self, batch: Batch) -> list[Reply]:
        assert self._writer is not None, "on_predict_start() comes first"
        replies = self.reply(batch)
        self._writer.write(replies)
        return replies

    def on_predict_start(self) -> None:
        """Open this rank's file in a folder that holds no replies of an earlier run, which may have had more ranks."""
        assert self.replies_folder is not None, "evaluate() says where replies go"
        if self.global_rank == 0:
            forget_replies(self.replies_folder)
        self.trainer.strategy.barrier("replies are fresh")
        self._writer = ReplyWriter(self.replies_folder, rank=self.global_rank)

    def on_predict_end(self) -> None:
        assert self._writer is not None, "on_predict_start() comes first"
        self._writer.close()

    def reply(self, batch: Batch) -> list[Reply]:
        """The net's replies to a left-padded batch of prompts."""
        assert self.net is not None, "configure_model() comes first"
        trainer = self._trainer  # None where one asks without a Trainer; the property raises then
        synced = self.device_mesh is not None or getattr(getattr(trainer, "strategy", None), "zero_stage_3", False)
        rows = self.net.generate(batch, max_new_tokens=self.max_new_tokens, synced=synced)
        texts = [self.codec.decode(row) for row in rows]
        return [Reply(id=i, task=t, text=x) for i, t, x in zip(batch.ids, batch.tasks, texts, strict=True)]

    def configure_optimizers(self) -> Any:
        assert self.net is not None, "configure_model() comes first"
        defaults = self.optimizer.keywords  # type: ignore[attr-defined]  # a functools.partial of the YAML
        parts = groups(
            self.net,
            self.model,
            lr=defaults["lr"],
            weight_decay=defaults.get("weight_decay", 0.0),
            lr_scale=self.lr_scale,
        )
        optimizer = self.optimizer(parts)
        # LambdaLR asks at step 0 before the first update: half a step in, so that a warm-up never trains at rate 0.
        scheduler = LambdaLR(optimizer, lambda step: self.schedule(min(step + 0.5, self.steps), self.steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def on_validation_start(self) -> None:
        self._random = random_state.state()

    def on_validation_end(self) -> None:
        """Give training its random numbers back."""
        assert self._random is not None, "on_validation_start() comes first"
        random_state.restore(self._random)

    def on_validation_epoch_end(self) -> None:
        self.log("validate/loss", self.validation_loss, prog_bar=True)
        for name in self.scores:
            self.log(f"validate/{name}", self._score(name))
        shares = ", ".join(f"{name} {float(self._score(name).compute()):.3f}" for name in self.scores)
        log.info("step %d: loss %.4f, %s", self.global_step, float(self.validation_loss.compute()), shares)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep only what is trained: a checkpoint never holds frozen weights."""
        trained = self._trained()
        checkpoint["state_dict"] = {name: t for name, t in checkpoint["state_dict"].items() if name in trained}
        checkpoint["trained"] = sorted(trained)
        checkpoint["seconds"] = self.seconds

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        odd = self._trained() ^ set(checkpoint["trained"])
        if odd:
            raise ValueError(f"the checkpoint is of other weights: {len(odd)} names differ, such as {sorted(odd)[:3]}")
        done = checkpoint["global_step"] * self.trainer.accumulate_grad_batches
        progress = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]
        for part in ("total", "current"):  # Lightning counts micro-batches, which may be cut otherwise now
            behind = progress[part]["ready"] - progress[part]["completed"]
            progress[part].update(ready=done, started=done, processed=done, completed=done - behind)
        self._seconds_before = checkpoint["seconds"]

    @property
    def seconds(self) -> float:
        """Wall-clock time of training so far, over every start of this run, validation included."""
        return self._seconds_before + (time.monotonic() - self._started if self._started is not None else 0.0)

    def on_train_start(self) -> None:
        self._started = time.monotonic()

    def on_train_end(self) -> None:
        self._seconds_before, self._started = self.seconds, None

    def _score(self, name: str) -> MeanMetric:
        metric = self.scores[name]
        assert isinstance(metric, MeanMetric), "scores are (sum, count) metrics"
        return metric

    def _tally(self, batch: Batch) -> Tally:
        assert self.net is not None, "configure_model() comes first"
        return self.objective.tally(self.net(batch), batch)

    def _trained(self) -> set[str]:
        return {name for name, parameter in self.named_parameters() if parameter.requires_grad}


def _asked_by_several(examples: Iterable[Example]) -> set[tuple[str, str]]:
    """(task, source) of the tasks that ask about more than one source: these are scored by source as well."""
    pairs = {(example.task, example.tags[SOURCE]) for example in examples if SOURCE in example.tags}
    tasks = Counter(task for task, _ in pairs)
    return {(task, source) for task, source in pairs if tasks[task] > 1}


def _rest(plain: torch.nn.Module, prefixes: tuple[str, ...]) -> None:
    """Put a component without trainable weights into eval mode: Lightning leaves modes alone."""
    parts = [plain.get_submodule(prefix) for prefix in prefixes]
    if not any(p.requires_grad for part in parts for p in part.parameters()):
        for part in parts:
            part.eval()
