"""Define one step of training, validation and prediction, as a LightningModule."""

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
from circuitvlm.training.batches.collator import ValidationBatch
from circuitvlm.training.batches.task_dataset import SOURCE
from circuitvlm.training.checkpoint import random_state
from circuitvlm.training.network import Net, decode_replies
from circuitvlm.training.parameter_groups import parameter_groups
from circuitvlm.training.ranks import sum_over_ranks
from circuitvlm.training.replies import ReplyWriter, delete_replies
from circuitvlm.training.strategy.shard import shard

log = logging.getLogger(__name__)


class Module(LightningModule):
    """Trains an adapter on a frozen net; validates and predicts by generating replies.

    The net is built in `configure_model`, once per rank, under the strategy's own context. `validation_examples` maps
    the id of a reply to its example. The module knows neither data sets nor the meaning of metrics.
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
        validation_examples: Mapping[str, Example],
        quantization: Any | None,
        dtype: torch.dtype,
        seed: int,
        lr_multipliers: Mapping[str, float],
        max_new_tokens: int,
        steps: int,
        log_every_n_steps: int,
        adapter_folder: Any | None,
    ) -> None:
        super().__init__()
        self.model, self.codec, self.adapter, self.dropout = model, codec, adapter, dropout
        self.objective, self.optimizer, self.schedule, self.steps = objective, optimizer, schedule, steps
        self.tasks, self.validation_examples = tasks, validation_examples
        self.quantization, self.base_dtype, self.seed = quantization, dtype, seed
        self.lr_multipliers, self.max_new_tokens, self.adapter_folder = lr_multipliers, max_new_tokens, adapter_folder
        self.log_every_n_steps = log_every_n_steps
        self.net: Net | None = None
        self.non_finite_losses: list[dict[str, Any]] = []
        self.shrunk_images = 0
        self.replies_folder: Path  # set before predicting
        self._writer: ReplyWriter
        self._random_state: dict[str, Any]
        self._start_time: float | None = None
        self._earlier_seconds = 0.0
        self.strict_loading = False  # checkpoints hold trained weights only; on_load_checkpoint checks their names
        self.train_loss, self.validation_loss = MeanMetric(), MeanMetric()
        self.task_sources = _shared_tasks(validation_examples.values())
        validation_tasks = {example.task for example in validation_examples.values()}  # the mean of no score is NaN
        names = [task for task in tasks if task in validation_tasks]
        names += [f"{source}/{task}" for task, source in sorted(self.task_sources)]
        self.scores = torch.nn.ModuleDict(
            {f"{name}/{metric}": MeanMetric() for name in names for metric in tasks[name.rpartition("/")[2]].metrics}
        )

    @property
    def built_net(self) -> Net:
        """The net after `configure_model`."""
        assert self.net is not None, "configure_model() comes first"
        return self.net

    def configure_model(self) -> None:
        """Build, quantize, adapt and shard the net, if that has not been done."""
        if self.net is not None:
            return
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            plain = self.model.build(dtype=self.base_dtype, quantization=self.quantization)
            weights = self.adapter.attach(plain, self.model, self.dropout)
        if self.adapter_folder is not None:
            self.adapter.load(weights, self.adapter_folder)
        self.net = Net(self.model, weights)
        self.net.train()
        for prefixes in self.model.components.values():
            _set_frozen_to_eval(plain, prefixes)
        shard(self.net, plain, self.model, mesh=self.device_mesh)

    def training_step(self, batch: Batch) -> Tensor:
        """The loss of a micro-batch: its sum over the target count of the whole accumulation window."""
        self._count_shrunk_images(batch)
        tally = self._tally(batch)
        if not torch.isfinite(tally.sum):  # FailureCallback stops all ranks before the step
            self.non_finite_losses.append({"loss": str(float(tally.sum.detach())), "ids": list(batch.ids)})
        self.train_loss.update(tally.mean.detach(), weight=tally.count)
        # Lightning and DDP divide by accumulation and ranks; the sum is to be divided by the window's count alone.
        scale = self.trainer.world_size * self.trainer.accumulate_grad_batches
        return tally.sum * scale / max(batch.window_count, 1.0)

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Log the loss over all tokens since the last log, every `log_every_n_steps` optimizer steps."""
        if (batch_idx + 1) % (self.log_every_n_steps * self.trainer.accumulate_grad_batches):
            return
        loss = self.train_loss.compute()  # over all ranks
        self.train_loss.reset()
        if loss.isnan():  # 0/0: every image was unreadable. A loss that is NaN has stopped the run
            return
        for logger in self.loggers:
            logger.log_metrics({"train/loss": float(loss)}, step=self.global_step)
        self.log("loss", loss, prog_bar=True, logger=False)

    def validation_step(self, batch: ValidationBatch) -> list[Reply]:  # type: ignore[override]  # replies go to the callbacks
        self._count_shrunk_images(batch.loss_batch)
        tally = self._tally(batch.loss_batch)
        replies = self.reply(batch.prompt_batch)
        if self.global_rank > 0 and batch.prompt_batch.ids[0] == next(iter(self.validation_examples)):
            return []  # sample 0 belongs to rank 0: this rank has only taken part in the collectives (OnceSampler)
        self.validation_loss.update(tally.mean, weight=tally.count)
        for reply in replies:
            self._add_scores(reply)
        return replies

    def _add_scores(self, reply: Reply) -> None:
        """Score a reply by the metrics of its task, also by source where several sources share the task."""
        task, example = self.tasks[reply.task], self.validation_examples[reply.id]
        answer, truth = task.read(reply.text), task.truth(example)
        names, source = [reply.task], example.tags.get(SOURCE, "")
        if (reply.task, source) in self.task_sources:
            names.append(f"{source}/{reply.task}")
        for metric_name, metric in task.metrics.items():
            score = metric.score(answer, truth)
            for name in names:
                self._score(f"{name}/{metric_name}").update(score.value, weight=score.weight)

    def predict_step(self, batch: Batch) -> list[Reply]:
        self._count_shrunk_images(batch)
        replies = self.reply(batch)
        self._writer.write(replies)
        return replies

    def on_predict_start(self) -> None:
        """Open this rank's file, after the replies of an earlier run, which may have had more ranks, are deleted."""
        if self.global_rank == 0:
            delete_replies(self.replies_folder)
        self.trainer.strategy.barrier("old replies are deleted")
        self._writer = ReplyWriter(self.replies_folder, rank=self.global_rank)

    def on_predict_end(self) -> None:
        self._writer.close()
        self._log_shrunk_images()

    def reply(self, batch: Batch) -> list[Reply]:
        """The net's replies to a left-padded batch of prompts."""
        trainer = self._trainer  # None without a Trainer, where the property raises
        is_synced = self.device_mesh is not None or getattr(getattr(trainer, "strategy", None), "zero_stage_3", False)
        rows = self.built_net.generate(batch, max_new_tokens=self.max_new_tokens, synced_gpus=is_synced)
        return decode_replies(rows, batch, codec=self.codec, max_new_tokens=self.max_new_tokens)

    def configure_optimizers(self) -> Any:
        defaults = self.optimizer.keywords  # type: ignore[attr-defined]  # a functools.partial of the YAML
        groups = parameter_groups(
            self.built_net,
            self.model,
            lr=defaults["lr"],
            weight_decay=defaults.get("weight_decay", 0.0),
            lr_multipliers=self.lr_multipliers,
        )
        optimizer = self.optimizer(groups)
        # LambdaLR reads step 0 before the first update; half a step later a warm-up never trains at rate 0.
        scheduler = LambdaLR(optimizer, lambda step: self.schedule(min(step + 0.5, self.steps), self.steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def on_validation_start(self) -> None:
        self._random_state = random_state.get_state()

    def on_validation_end(self) -> None:
        """Restore the random state of the training."""
        random_state.set_state(self._random_state)

    def on_validation_epoch_end(self) -> None:
        self.log("validate/loss", self.validation_loss, prog_bar=True)
        for name in self.scores:
            self.log(f"validate/{name}", self._score(name))
        scores = ", ".join(f"{name} {float(self._score(name).compute()):.3f}" for name in self.scores)
        log.info("step %d: loss %.4f, %s", self.global_step, float(self.validation_loss.compute()), scores)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep trained weights only: a checkpoint never holds frozen ones."""
        names = self._trained_names()
        checkpoint["state_dict"] = {name: t for name, t in checkpoint["state_dict"].items() if name in names}
        checkpoint["trained"] = sorted(names)
        checkpoint["seconds"] = self.seconds

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Raise ValueError for a checkpoint of other weights, and convert its progress to this run's micro-batches."""
        differing_names = sorted(self._trained_names() ^ set(checkpoint["trained"]))
        if differing_names:
            raise ValueError(
                f"checkpoint: expected this run's trained weights, got others: {len(differing_names)} names differ, "
                f"such as {', '.join(differing_names[:3])}"
            )
        micro_batches = checkpoint["global_step"] * self.trainer.accumulate_grad_batches
        progress = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]
        for key in ("total", "current"):  # Lightning counts micro-batches, whose size may have changed
            pending_count = progress[key]["ready"] - progress[key]["completed"]
            progress[key].update(dict.fromkeys(("ready", "started", "processed"), micro_batches))
            progress[key]["completed"] = micro_batches - pending_count
        self._earlier_seconds = checkpoint["seconds"]

    @property
    def seconds(self) -> float:
        """Wall-clock time of training so far, over every start of this run, validation included."""
        return self._earlier_seconds + (time.monotonic() - self._start_time if self._start_time is not None else 0.0)

    def on_train_start(self) -> None:
        self._start_time = time.monotonic()

    def on_train_end(self) -> None:
        self._log_shrunk_images()
        self._earlier_seconds, self._start_time = self.seconds, None

    def _count_shrunk_images(self, batch: Batch) -> None:
        if batch.shrunk_images and not self.shrunk_images:
            log.warning(
                "images such as that of %s are shrunk to fit model.max_tokens; raise it, or lower model.reply_tokens. "
                "The end of this phase states their number",
                batch.ids[0],
            )
        self.shrunk_images += batch.shrunk_images

    def _log_shrunk_images(self) -> None:
        """Log how many images were shrunk, over all ranks, and begin to count again. All ranks call it."""
        count = int(sum_over_ranks(self.shrunk_images)[0])
        if count and self.global_rank == 0:
            log.warning("%s images were shrunk to fit model.max_tokens", f"{count:,}")
        self.shrunk_images = 0

    def _score(self, name: str) -> MeanMetric:
        metric = self.scores[name]
        assert isinstance(metric, MeanMetric), "scores are (sum, count) metrics"
        return metric

    def _tally(self, batch: Batch) -> Tally:
        return self.objective.tally(self.built_net(batch), batch)

    def _trained_names(self) -> set[str]:
        return {name for name, parameter in self.named_parameters() if parameter.requires_grad}


def _shared_tasks(examples: Iterable[Example]) -> set[tuple[str, str]]:
    """(task, source) of every task with examples of several sources; these are scored by source as well."""
    pairs = {(example.task, example.tags[SOURCE]) for example in examples if SOURCE in example.tags}
    counts = Counter(task for task, _ in pairs)
    return {(task, source) for task, source in pairs if counts[task] > 1}


def _set_frozen_to_eval(plain: torch.nn.Module, prefixes: tuple[str, ...]) -> None:
    """Put a component without trainable weights into eval mode: Lightning does not change modes."""
    modules = [plain.get_submodule(prefix) for prefix in prefixes]
    if not any(p.requires_grad for module in modules for p in module.parameters()):
        for module in modules:
            module.eval()
