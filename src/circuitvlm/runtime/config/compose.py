"""How does a list of overrides become one config, in an application, a notebook and a test alike?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import hydra
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig

from circuitvlm.runtime.config.schema import register


def compose(overrides: Sequence[str] = (), *, config_name: str = "train", config_dir: Path) -> DictConfig:
    """The composed config; works inside hydra.main too, whose own state is laid aside and put back."""
    register()
    if not config_dir.is_dir():
        raise ValueError(f"config_dir: {config_dir} is no folder; wanted the folder conf/ of the project")
    state = GlobalHydra.instance()
    outer = state.hydra
    state.clear()
    try:
        with hydra.initialize_config_dir(config_dir=str(config_dir.resolve()), version_base="1.3"):
            composed: DictConfig = hydra.compose(config_name=config_name, overrides=list(overrides))
            return composed
    finally:
        GlobalHydra.instance().hydra = outer


def compose_base(config_dir: Path, experiment: str | None) -> DictConfig:
    """The experiment as it is written, without what the user changed: folder names are told against it."""
    return compose([] if experiment is None else [f"experiment={experiment}"], config_dir=config_dir)


def experiment_of(overrides: Sequence[str]) -> str | None:
    """The experiment that a command line chooses, or None."""
    chosen = None
    for override in overrides:
        key, _, value = override.partition("=")
        if key.lstrip("+") == "experiment":
            chosen = None if value in ("", "null") else value
    return chosen
