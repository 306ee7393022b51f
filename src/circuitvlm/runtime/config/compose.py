"""Compose a config from a list of overrides, in an application, a notebook and a test alike."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from circuitvlm.runtime.config.schema import register


def compose(overrides: Sequence[str] = (), *, config_name: str = "train", config_dir: Path) -> DictConfig:
    """The composed config; works inside `hydra.main` too, whose global state is restored afterwards.

    Raises ValueError for a folder that does not exist, and Hydra's own errors for wrong overrides.
    """
    register()
    if not config_dir.is_dir():
        raise ValueError(f"config_dir: expected the project's folder conf/, got {config_dir}, which is no folder")
    state = GlobalHydra.instance()
    outer_hydra = state.hydra
    state.clear()
    try:
        with hydra.initialize_config_dir(config_dir=str(config_dir.resolve()), version_base="1.3"):
            cfg = hydra.compose(config_name=config_name, overrides=list(overrides))
            empty_sections(cfg, overrides)
            return cfg
    finally:
        GlobalHydra.instance().hydra = outer_hydra


def empty_sections(cfg: DictConfig, overrides: Sequence[str]) -> None:
    """Empty each section to which the overrides assign `{}`, such as `logger={}`.

    Hydra merges the empty mapping into the section, which changes nothing. Overrides of the section and its keys that
    come after this one are kept.
    """
    empty_keys: list[str] = []
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        key, value = override.key_or_group, override.value()
        if value == {} and not override.is_add():
            OmegaConf.update(cfg, key, {}, merge=False)
            empty_keys.append(key)
        elif any(f"{key}.".startswith(f"{section}.") for section in empty_keys) and not override.is_delete():
            OmegaConf.update(cfg, key, value, force_add=True)


def compose_base(config_dir: Path, experiment: str | None) -> DictConfig:
    """The experiment as its file states it, without other overrides; a run's folder is named after the difference."""
    return compose([] if experiment is None else [f"experiment={experiment}"], config_dir=config_dir)


def command_line_overrides() -> list[str]:
    """The overrides of a Hydra application as they were given: with `${oc.env:NAME}` in place of a secret."""
    overrides = OmegaConf.to_container(HydraConfig.get().overrides.task, resolve=False)
    assert isinstance(overrides, list), f"expected Hydra's list of overrides, got {overrides!r}"
    return [str(override) for override in overrides]


def experiment_of(overrides: Sequence[str]) -> str | None:
    """The experiment that a command line chooses, or None."""
    experiment = None
    for override in overrides:
        key, _, value = override.partition("=")
        if key.lstrip("+") == "experiment":
            experiment = None if value in ("", "null") else value
    return experiment
