"""Is a trial worth going on with? After each validation it asks the study that it belongs to."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from lightning import Callback, LightningModule, Trainer

from circuitvlm.runtime.folders.outcome import PRUNED
from circuitvlm.runtime.folders.run_folder import write_atomic


class PrunedTrial(SystemExit):
    """A trial ends before its end because its study holds it for hopeless: nothing is wrong, so with status 0."""

    def __init__(self) -> None:
        super().__init__(0)


class Pruning(Callback):
    """Tells the study in `folder` the trial's `metric` after each validation, and ends the run where it is hopeless.

    A run that is not ended has the numbers that it would have had. Of the ranks of a run the first asks, and all end.
    """

    infrastructure: ClassVar[bool] = True

    def __init__(self, *, folder: str, trial: int, metric: str, prune_after: int | None, prune_from: int) -> None:
        self.folder, self.trial, self.metric = folder, trial, metric
        self.prune_after, self.prune_from = prune_after, prune_from

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        value = trainer.callback_metrics.get(self.metric)
        if trainer.sanity_checking or value is None:  # a metric that is not there is told by the sweep, at the end
            return
        hopeless = trainer.is_global_zero and self._hopeless(float(value), step=trainer.global_step)
        if not trainer.strategy.broadcast(hopeless):
            return
        if trainer.is_global_zero:
            said = f"step {trainer.global_step}: {self.metric} {float(value):g} is worse than the median of the others"
            write_atomic(Path(trainer.default_root_dir) / PRUNED, f"trial {self.trial} of {self.folder}: {said}\n")
        raise PrunedTrial

    def _hopeless(self, value: float, *, step: int) -> bool:
        from circuitvlm.training.sweep.journal import pruner_of, study_in, trial_of  # optuna is an extra

        study = study_in(Path(self.folder), pruner=pruner_of(prune_after=self.prune_after, prune_from=self.prune_from))
        trial = trial_of(study, self.trial)
        trial.report(value, step)
        return trial.should_prune()
