"""Write the metrics of each validation into the run's folder."""

from __future__ import annotations

from pathlib import Path

from lightning import Callback, LightningModule, Trainer

from circuitvlm.runtime.folders.outcome import record_validation

PREFIX = "validate/"


class ValidationLog(Callback):
    """Keeps every metric of every validation by optimizer step; a resumed run adds to the file."""

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.is_global_zero and not trainer.sanity_checking:
            metrics = {str(k): float(v) for k, v in trainer.callback_metrics.items() if str(k).startswith(PREFIX)}
            record_validation(Path(trainer.default_root_dir), trainer.global_step, metrics)
