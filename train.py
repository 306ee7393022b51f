"""Train and evaluate one run: `python train.py experiment=<name> key=value ...` (see conf/train.yaml for the keys)."""

import sys
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from circuitvlm.runtime.config.check import check
from circuitvlm.runtime.config.compose import compose_base, experiment_of
from circuitvlm.runtime.config.schema import register
from circuitvlm.runtime.entry import run, sweeps
from circuitvlm.runtime.progress import setup_logging

CONF = Path(__file__).resolve().parent / "conf"
register()


@hydra.main(config_path=str(CONF), config_name="train", version_base="1.3")
def main(cfg: DictConfig) -> Path | None:
    """Check the config, assemble the run, run it; or one trial of a sweep, whose folder it returns."""
    setup_logging()
    overrides = list(HydraConfig.get().overrides.task)
    base = compose_base(CONF, experiment_of(overrides))
    if HydraConfig.get().mode is RunMode.MULTIRUN:
        from circuitvlm.training.sweep import trial

        return trial.attempt(cfg, base=base, overrides=overrides, sweeper=HydraConfig.get().sweeper)
    check(cfg)
    from circuitvlm.training import baselines, execute  # after the check: a wrong key must not wait for torch

    controls = baselines.compose_controls(cfg, overrides=overrides, config_dir=CONF)
    execute.execute(cfg, base=base, controls=controls, overrides=overrides)
    return None


if __name__ == "__main__":
    if sweeps(sys.argv[1:]):
        from circuitvlm.training.sweep import sweep

        sweep.register()
    run(main, config_dir=CONF)
