"""Train and evaluate one run; `python train.py --help` shows the keys."""

import sys
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from circuitvlm.runtime.config.check import check
from circuitvlm.runtime.config.compose import command_line_overrides, compose_base, empty_sections, experiment_of
from circuitvlm.runtime.config.schema import register
from circuitvlm.runtime.entry import is_sweep, run
from circuitvlm.runtime.help_page import handle_help
from circuitvlm.runtime.progress import setup_logging

CONF = Path(__file__).resolve().parent / "conf"
register()


@hydra.main(config_path=str(CONF), config_name="train", version_base="1.3")
def main(cfg: DictConfig) -> Path | None:
    """Check the config and run it; or run one trial of a sweep, and return its folder."""
    setup_logging()
    overrides = command_line_overrides()
    empty_sections(cfg, overrides)
    if HydraConfig.get().mode is RunMode.MULTIRUN:
        from circuitvlm.training.sweep import trial

        base = compose_base(CONF, experiment_of(overrides))
        return trial.attempt_trial(cfg, base=base, overrides=overrides, sweeper=HydraConfig.get().sweeper)
    check(cfg)
    from circuitvlm.training import baselines, execute  # after the check, so that a wrong key does not wait for torch

    base = compose_base(CONF, experiment_of(overrides))
    baseline_configs = baselines.compose_baselines(cfg, overrides=overrides, config_dir=CONF)
    execute.execute(cfg, base=base, baseline_configs=baseline_configs, overrides=overrides)
    return None


if __name__ == "__main__":
    handle_help(CONF / "train.yaml")
    if is_sweep(sys.argv[1:]):
        from circuitvlm.training.sweep import sweep

        sweep.register()
    run(main)
