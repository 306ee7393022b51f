"""What did each validation say? A file in the run's folder, for whoever compares runs."""

from __future__ import annotations

from pathlib import Path

from lightning import Callback, LightningModule, Trainer

from circuitvlm.runtime.folders.outcome import note_validated

PREFIX = "validate/"


class Validated(Callback):
    """Keeps every metric of every validation, by optimizer step; a run that goes on adds to them."""

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.is_global_zero and not trainer.sanity_checking:
            found = {str(k): float(v) for k, v in trainer.callback_metrics.items() if str(k).startswith(PREFIX)}
            note_validated(Path(trainer.default_root_dir), trainer.global_step, found)
