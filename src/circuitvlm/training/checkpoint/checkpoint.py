"""Save checkpoints while training, and resume from them.

A checkpoint holds the trained weights, the optimizer's state and every rank's random state, and no frozen weights.
"""

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

from circuitvlm.runtime.errors import DISK_FULL_NUMBERS, system_error
from circuitvlm.runtime.spelling import suggestion
from circuitvlm.training.checkpoint import random_state, storage
from circuitvlm.training.checkpoint.finite import check_finite_weights
from circuitvlm.training.checkpoint.stop_request import STOP_STATUS, StopRequest
from circuitvlm.training.ranks import gather

RESUME = "circuitvlm"
"""The key of a checkpoint under which this module's values are saved."""

BEST = "adapter_best"
"""The folder with the adapter of the best validation so far; `adapter` is that of the last step."""

log = logging.getLogger(__name__)


class CheckpointError(ValueError):
    """A checkpoint that cannot be written, with what to do about it; the previous one is intact."""


class DirectIO(TorchCheckpointIO):
    """Writes a state directly to its file; Lightning's own uses memory and the system's temporary folder."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        assert storage_options is None, "our trainers pass none"
        with Path(path).open("wb") as file:  # given a path, torch does not say why it cannot write
            torch.save(checkpoint, file)


class Checkpoint(Callback):
    """Saves a run's state every `every_n_steps` optimizer steps, before each validation, at the end, and when the
    process is asked to stop; keeps the last `keep` checkpoints.

    `best` names a validated value, such as `validate/loss`. The checkpoint of its best value is kept too, and all ranks
    save its adapter by `save_adapter`, as `adapter_best`. Losses are best low, scores high.
    """

    def __init__(
        self, run: Path, *, every_n_steps: int, keep: int, best: str | None, save_adapter: Callable[[Path], None]
    ) -> None:
        self.run, self.every_n_steps, self.keep = run, every_n_steps, keep
        self.best, self.save_adapter = best, save_adapter
        self.stop_request = StopRequest()
        self.saved_step = 0
        self.validation_due = False
        self.best_validation: dict[str, Any] = {"step": None, "value": None}
        self.resume_state: dict[str, Any] | None = None
        self.has_started = False

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if stage != "fit":
            return
        trainer.strategy.checkpoint_io = DirectIO()
        self._check_best(trainer, pl_module)
        paths = gather(str(trainer.ckpt_path))
        if len(set(paths)) > 1:
            raise CheckpointError(
                f"{self.run}: expected the same checkpoint on all ranks, got {', '.join(paths)}; put the run's folder "
                "on a disk that all nodes share"
            )

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        checkpoint[RESUME] = {
            "random": gather(random_state.get_state()),
            "due": self.validation_due,
            "top": dict(self.best_validation),
        }

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        self.resume_state = checkpoint[RESUME]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Run a validation that the stop has interrupted, and restore the random state."""
        self.stop_request.defer_signals()
        self.has_started = True
        if self.resume_state is not None:
            check_finite_weights(pl_module, f"the checkpoint of step {trainer.global_step}")
            self.saved_step, self.best_validation = trainer.global_step, self.resume_state["top"]
            self.validation_due = self.resume_state["due"]
            self._resume(trainer, self.resume_state["random"])

    def _resume(self, trainer: Trainer, random_states: list[dict[str, Any]]) -> None:
        if self.validation_due:
            trainer.validating = True
            validation = trainer.fit_loop.epoch_loop.val_loop
            validation.restarting = False  # else Lightning takes the batches of the validation before for its own
            validation.run()
            trainer.training = True
        if trainer.global_rank < len(random_states):
            random_state.set_state(random_states[trainer.global_rank])
        if trainer.global_rank == 0 and len(random_states) != trainer.world_size:
            log.warning(
                "step %d: %d processes resume a run of %d. The samples and their order are the same. Each process has "
                "its own random numbers for dropout, so the weights will differ",
                trainer.global_step,
                trainer.world_size,
                len(random_states),
            )

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if (batch_idx + 1) % trainer.accumulate_grad_batches:
            return
        step, is_stopping = trainer.global_step, self._is_stopping(trainer)
        interval = trainer.val_check_batch if trainer.enable_validation else None
        due = interval is not None and (batch_idx + 1) % interval == 0
        if step > self.saved_step and (step % self.every_n_steps == 0 or due or is_stopping):
            self.save(trainer, validation_due=due)
        if is_stopping:
            self._exit(step)

    def on_validation_batch_end(self, trainer: Trainer, *_: Any) -> None:
        """Stop in the middle of a validation, which may be long; the resumed run repeats it."""
        if self.validation_due and self._is_stopping(trainer):
            self._exit(trainer.global_step)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.best is None:
            return
        value = float(trainer.callback_metrics[self.best])
        if trainer.strategy.broadcast(self._is_better(value)):
            self.best_validation = {"step": trainer.global_step, "value": value}
            self._save_best_adapter(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the end too: a run killed during its evaluation trains and validates nothing again."""
        if trainer.global_step > self.saved_step or self.validation_due:
            self.save(trainer, validation_due=False)
        if self._is_stopping(trainer):
            self._exit(trainer.global_step)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Repeat an interrupted validation of the last step: Lightning does not start a training without steps."""
        if self.resume_state is not None and self.resume_state["due"] and not self.has_started:
            self.on_train_start(trainer, pl_module)
            self.on_train_end(trainer, pl_module)

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.stop_request.exit_on_signals()

    def save(self, trainer: Trainer, *, validation_due: bool) -> None:
        """Write a checkpoint of this step. All ranks call it. Raises CheckpointError where the disk is full.

        `validation_due`: a validation of this step is still to come.
        """
        check_finite_weights(trainer.lightning_module, f"step {trainer.global_step}")
        self.saved_step, self.validation_due = trainer.global_step, validation_due
        folder = self.run / storage.FOLDER / storage.TEMPORARY
        with self._explain_write_error("the checkpoint", folder):
            path = storage.prepare_state_path(self.run) if trainer.is_global_zero else folder / storage.STATE
            trainer.strategy.barrier("checkpoint begins")
            trainer.save_checkpoint(path, weights_only=False)
            if trainer.is_global_zero:
                storage.commit(self.run, step=self.saved_step)
                best_step = self.best_validation["step"]
                extra_steps = [best_step] if best_step is not None else []
                storage.prune(self.run, step=self.saved_step, keep=self.keep, extra_steps=extra_steps)
        trainer.strategy.barrier("checkpoint")

    @contextmanager
    def _explain_write_error(self, content: str, folder: Path) -> Iterator[None]:
        """Raise CheckpointError for an error of the disk, and delete what is half written: it fills the disk."""
        try:
            yield
        except Exception as error:
            if (cause := system_error(error)) is None:
                raise
            shutil.rmtree(folder, ignore_errors=True)
            checkpoints = storage.list_checkpoints(self.run)
            remedy = "free disk space" if cause.errno in DISK_FULL_NUMBERS else "correct this"
            result = f"resumes from step {checkpoints[0].step}" if checkpoints else "starts again"
            raise CheckpointError(
                f"{folder.parent}: cannot write {content} of step {self.saved_step} ({cause}); {remedy}, then the same "
                f"command {result}"
            ) from error

    def _check_best(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.best is None:
            return
        if not trainer.enable_validation:
            raise ValueError(
                f"checkpoint_best: expected null, since nothing is validated, got {self.best!r}; use "
                "checkpoint_best=null"
            )
        values = ["validate/loss", *(f"validate/{name}" for name in getattr(pl_module, "scores", {}))]
        if self.best not in values:
            raise ValueError(
                f"checkpoint_best: expected one of {', '.join(values)}, got {self.best!r}."
                f"{suggestion(self.best, values)}"
            )

    def _is_better(self, value: float) -> bool:
        if math.isnan(value):
            return False
        best_value = self.best_validation["value"]
        return best_value is None or (value < best_value if str(self.best).endswith("loss") else value > best_value)

    def _save_best_adapter(self, trainer: Trainer) -> None:
        folder = self.run / f".{BEST}.writing"
        if trainer.is_global_zero:
            shutil.rmtree(folder, ignore_errors=True)
        trainer.strategy.barrier("best adapter begins")
        with self._explain_write_error(BEST, folder):
            self.save_adapter(folder)
            trainer.strategy.barrier("best adapter")
            if trainer.is_global_zero:
                storage.replace_folder(folder, self.run / BEST)

    def _is_stopping(self, trainer: Trainer) -> bool:
        """Whether any rank was asked to stop: all have to stop at the same step."""
        return trainer.strategy.reduce_boolean_decision(self.stop_request.is_set, all=False)

    def _exit(self, step: int) -> None:
        log.warning("asked to stop: saved at step %d, exit status %d; the same command resumes it", step, STOP_STATUS)
        raise SystemExit(STOP_STATUS)
