"""Where does a killed run go on from? One file, replaced whole, that holds what is trained and nothing frozen."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from lightning import Callback, LightningModule, Trainer

LAST = "last.ckpt"


class Checkpoint(Callback):
    """Saves the training state to `path` every `every` optimizer steps; a kill while writing leaves the one before."""

    def __init__(self, path: Path, *, every: int) -> None:
        self.path = path
        self.every = every
        self.saved = 0

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        step = trainer.global_step
        stepped = (batch_idx + 1) % trainer.accumulate_grad_batches == 0
        if stepped and step > self.saved and step % self.every == 0:
            self.save(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The end is a place to go on from too: a run killed while it evaluates must not train again."""
        if trainer.global_step > self.saved:
            self.save(trainer)

    def save(self, trainer: Trainer) -> None:
        """Write beside the path, reach the disk, rename. All ranks call it; rank 0 writes."""
        self.saved = trainer.global_step
        writing = self.path.with_name(f".{self.path.name}.writing")
        trainer.save_checkpoint(writing, weights_only=False)
        if trainer.is_global_zero:
            handle = os.open(writing, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
            os.replace(writing, self.path)
        trainer.strategy.barrier("checkpoint")
