"""Prune a hopeless trial of a study after a validation."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from lightning import Callback, LightningModule, Trainer

from circuitvlm.runtime.folders.outcome import PRUNED_FILE
from circuitvlm.runtime.folders.run_folder import write_atomic


class PrunedTrial(SystemExit):
    """Ends a trial that its study has pruned, with status 0, since nothing has failed."""

    def __init__(self) -> None:
        super().__init__(0)


class Pruning(Callback):
    """Reports the trial's `metric` to the study in `folder` after each validation, and ends a pruned trial.

    A trial that is not pruned gives the same numbers as without the callback. The first rank asks the study, and all
    ranks end.
    """

    infrastructure: ClassVar[bool] = True

    def __init__(self, *, folder: str, trial: int, metric: str, prune_after: int | None, prune_from: int) -> None:
        self.folder, self.trial, self.metric = folder, trial, metric
        self.prune_after, self.prune_from = prune_after, prune_from

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        value = trainer.callback_metrics.get(self.metric)
        if trainer.sanity_checking or value is None:  # the sweep reports a missing metric at the end
            return
        is_pruned = trainer.is_global_zero and self._is_pruned(float(value), step=trainer.global_step)
        if not trainer.strategy.broadcast(is_pruned):
            return
        if trainer.is_global_zero:
            write_atomic(
                Path(trainer.default_root_dir) / PRUNED_FILE,
                f"trial {self.trial} of {self.folder}: step {trainer.global_step}: {self.metric} {float(value):g} is "
                "worse than the median of the other trials\n",
            )
        raise PrunedTrial

    def _is_pruned(self, value: float, *, step: int) -> bool:
        from circuitvlm.training.sweep.journal import make_pruner, open_study, running_trial  # optuna is an extra

        pruner = make_pruner(prune_after=self.prune_after, prune_from=self.prune_from)
        trial = running_trial(open_study(Path(self.folder), pruner=pruner), self.trial)
        trial.report(value, step)
        return trial.should_prune()
