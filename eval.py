"""Grade what a run has learned; `python eval.py --help` shows the keys."""

from pathlib import Path

import hydra
from omegaconf import DictConfig

from circuitvlm.runtime.config.check import check_evaluation
from circuitvlm.runtime.config.schema import register
from circuitvlm.runtime.entry import run
from circuitvlm.runtime.help_page import handle_help
from circuitvlm.runtime.progress import setup_logging

CONF = Path(__file__).resolve().parent / "conf"
register()


@hydra.main(config_path=str(CONF), config_name="eval", version_base="1.3")
def main(cfg: DictConfig) -> None:
    """Check the config, then generate and grade the replies of the run."""
    setup_logging()
    check_evaluation(cfg)
    from circuitvlm.training.execute import execute_evaluation  # after the check, which needs no torch

    execute_evaluation(cfg)


if __name__ == "__main__":
    handle_help(CONF / "eval.yaml")
    run(main)
