"""Where does a run that was stopped go on from? What is trained, and every rank's random numbers; nothing frozen."""

from __future__ import annotations

import logging
import math
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from torch import distributed

from circuitvlm.runtime.fault import FULL, system_error
from circuitvlm.runtime.spelling import suggestion
from circuitvlm.training.checkpoint import random_state, saved
from circuitvlm.training.checkpoint.stop import ASKED, Stop

RESUME = "circuitvlm"
"""The key of a checkpoint that holds what this module adds."""

BEST = "adapter_best"
"""The adapter of the best validation so far, beside `adapter`, which is that of the last step."""

log = logging.getLogger(__name__)


class CheckpointError(ValueError):
    """A checkpoint that cannot be written, with what to do about it; the one before it is whole."""


class DirectIO(TorchCheckpointIO):
    """Writes a state straight to its place: Lightning's own goes through memory and the system's temporary folder."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        assert storage_options is None, "our trainers pass none"
        with Path(path).open("wb") as file:  # given a path, torch does not tell why it cannot write
            torch.save(checkpoint, file)


class Checkpoint(Callback):
    """Saves the state of the run every `every` optimizer steps, before every validation, at the end, and when the
    process is asked to end; keeps the last `keep`.

    `best` names a validated value, as `validate/loss`: the checkpoint of its best is kept too, and its adapter, which
    all ranks save by `save_adapter`, as `adapter_best`. Losses are best low, scores high.
    """

    def __init__(
        self, run: Path, *, every: int, keep: int, best: str | None, save_adapter: Callable[[Path], None]
    ) -> None:
        self.run, self.every, self.keep, self.best, self.save_adapter = run, every, keep, best, save_adapter
        self.stop = Stop()
        self.saved = 0
        self.due = False
        self.top: dict[str, Any] = {"step": None, "value": None}
        self.resumed: dict[str, Any] | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if stage != "fit":
            return
        trainer.strategy.checkpoint_io = DirectIO()
        self._refuse_unknown_best(trainer, pl_module)
        paths = _gathered(str(trainer.ckpt_path))
        if len(set(paths)) > 1:
            raise CheckpointError(
                f"the ranks found different checkpoints ({', '.join(paths)}): do their nodes share a disk?"
            )

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        checkpoint[RESUME] = {"random": _gathered(random_state.state()), "due": self.due, "top": dict(self.top)}

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        self.resumed = checkpoint[RESUME]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Make up for a validation that the stop has cut off, and put the random numbers where they stood."""
        if self.resumed is not None:
            self.saved, self.top, self.due = trainer.global_step, self.resumed["top"], self.resumed["due"]
            self._go_on(trainer, self.resumed["random"])
        self.stop.note()

    def _go_on(self, trainer: Trainer, random: list[dict[str, Any]]) -> None:
        if self.due:
            trainer.validating = True
            trainer.fit_loop.epoch_loop.val_loop.run()
            trainer.training = True
        if trainer.global_rank < len(random):
            random_state.restore(random[trainer.global_rank])
        if trainer.global_rank == 0 and len(random) != trainer.world_size:
            log.warning(
                "step %d: %d processes go on with what %d began. The samples and their order are the same. Each "
                "process draws random numbers (dropout) of its own: %s",
                trainer.global_step,
                trainer.world_size,
                len(random),
                f"those of rank {len(random)} and on begin at the seed"
                if len(random) < trainer.world_size
                else f"those of rank {trainer.world_size} and on end here",
            )

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if (batch_idx + 1) % trainer.accumulate_grad_batches:
            return
        step, asked = trainer.global_step, self._asked(trainer)
        interval = trainer.val_check_batch if trainer.enable_validation else None
        due = interval is not None and (batch_idx + 1) % interval == 0
        if step > self.saved and (step % self.every == 0 or due or asked):
            self.save(trainer, due=due)
        if asked:
            self._leave(step)

    def on_validation_batch_end(self, trainer: Trainer, *_: Any) -> None:
        """A validation may be long: the process leaves in its middle, and it is made up for."""
        if self.due and self._asked(trainer):
            self._leave(trainer.global_step)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.best is None:
            return
        value = float(trainer.callback_metrics[self.best])
        if trainer.strategy.broadcast(self._is_better(value)):
            self.top = {"step": trainer.global_step, "value": value}
            self._keep_adapter(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The end is a place to go on from too: a run killed while it evaluates trains and validates nothing again."""
        if trainer.global_step > self.saved or self.due:
            self.save(trainer, due=False)
        if self._asked(trainer):
            self._leave(trainer.global_step)

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.stop.heed()

    def save(self, trainer: Trainer, *, due: bool) -> None:
        """Write aside, reach the disk, rename. All ranks call it. Raises CheckpointError where the disk is full.

        `due`: a validation of this step is still to come.
        """
        self.saved, self.due = trainer.global_step, due
        writing = self.run / saved.FOLDER / saved.WRITING
        with self._told("no checkpoint", writing):
            state = saved.begin(self.run) if trainer.is_global_zero else writing / saved.STATE
            trainer.strategy.barrier("checkpoint begins")
            trainer.save_checkpoint(state, weights_only=False)
            if trainer.is_global_zero:
                saved.seal(self.run, step=self.saved)
                also = [self.top["step"]] if self.top["step"] is not None else []
                saved.prune(self.run, step=self.saved, keep=self.keep, also=also)
        trainer.strategy.barrier("checkpoint")

    @contextmanager
    def _told(self, what: str, writing: Path) -> Iterator[None]:
        """Tell in words why it cannot be written. What is half written goes: on a full disk it is in the way."""
        try:
            yield
        except Exception as error:
            if (why := system_error(error)) is None:
                raise
            shutil.rmtree(writing, ignore_errors=True)
            before = saved.all_saved(self.run)
            on = f"goes on from step {before[0].step}" if before else "begins again"
            raise CheckpointError(
                f"step {self.saved}: {what} can be written into {writing.parent} ({why}): "
                f"{'make room' if why.errno in FULL else 'see to that'}, and the same command {on}"
            ) from error

    def _refuse_unknown_best(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.best is None:
            return
        if not trainer.enable_validation:
            raise ValueError(f"checkpoint_best={self.best}: nothing is validated; say checkpoint_best=null")
        scores = getattr(pl_module, "scores", {})
        known = ["validate/loss", *(f"validate/{name}" for name in scores)]
        if self.best not in known:
            raise ValueError(
                f"checkpoint_best={self.best}: no such validated value.{suggestion(self.best, known)} "
                f"There are {', '.join(known)}"
            )

    def _is_better(self, value: float) -> bool:
        if math.isnan(value):
            return False
        top = self.top["value"]
        lower = str(self.best).endswith("loss")
        return top is None or (value < top if lower else value > top)

    def _keep_adapter(self, trainer: Trainer) -> None:
        writing = self.run / f".{BEST}.writing"
        if trainer.is_global_zero:
            shutil.rmtree(writing, ignore_errors=True)
        trainer.strategy.barrier("best adapter begins")
        with self._told(f"no {BEST}", writing):
            self.save_adapter(writing)
            trainer.strategy.barrier("best adapter")
            if trainer.is_global_zero:
                saved.swap(writing, self.run / BEST)

    def _asked(self, trainer: Trainer) -> bool:
        """Whether any rank was asked to end: all have to leave at the same step."""
        return trainer.strategy.reduce_boolean_decision(self.stop.asked, all=False)

    def _leave(self, step: int) -> None:
        log.warning("asked to end: saved at step %d, ending with status %d; the same command goes on", step, ASKED)
        raise SystemExit(ASKED)


def _gathered(value: Any) -> list[Any]:
    """The value of every rank."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return [value]
    found: list[Any] = [None] * distributed.get_world_size()
    distributed.all_gather_object(found, value)
    return found
