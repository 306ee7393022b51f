"""Give the form of a config that is saved: without secrets of the environment, and without folders of this machine."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.resolvers import oc

from circuitvlm.runtime.config import allow_list
from circuitvlm.runtime.config.value_check import FROM_ENVIRONMENT
from circuitvlm.runtime.folders.saved_file import escape
from circuitvlm.runtime.folders.settings import ABSENT, Config, to_dict

CACHE_VARIABLE = "CIRCUITVLM_CACHE"
_NUMBER = re.compile(r"[+-]?[0-9.]+(?:e[+-]?[0-9]+)?|true|false", re.IGNORECASE)


def portable_settings(cfg: Config) -> dict[str, Any]:
    """The settings as they are saved: plain and resolved, without what belongs to this machine.

    A text that comes from the environment variable NAME, and may be a secret, is `<from environment NAME>`. The folders
    of caches (`data.*.cache`, `model.cache`) are None.
    """
    settings = _hide_environment(cfg) if isinstance(cfg, DictConfig) else to_dict(cfg)
    return _replace_caches(settings, lambda package: None)


def local_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Saved settings with the caches of this machine: below CIRCUITVLM_CACHE, or else `cache`, as conf/ has them."""
    root = Path(os.environ.get(CACHE_VARIABLE, "cache"))
    return _replace_caches(settings, lambda package: str(root / package))


def _replace_caches(settings: Mapping[str, Any], cache_of: Callable[[str], str | None]) -> dict[str, Any]:
    """Replace each `cache`, by the name of the package of its source; that of the model has the name ""."""

    def replace(section: Any, package: str) -> Any:
        has_cache = isinstance(section, Mapping) and section.get("cache", ABSENT) != ABSENT
        return {**section, "cache": cache_of(package)} if has_cache else section

    changes = {}
    if isinstance(sources := settings.get("data"), Mapping):
        changes["data"] = {name: replace(section, _source_package(section)) for name, section in sources.items()}
    if "model" in settings:
        changes["model"] = replace(settings["model"], "")
    return {**settings, **changes}


def _source_package(section: Any) -> str:
    """The package or module of a source, such as `circuits` of circuitvlm.data.circuits.Circuits."""
    target = section.get(allow_list.TARGET) if isinstance(section, Mapping) else None
    match = re.match(rf"{allow_list.PART_PACKAGES['data']}\.(\w+)\.", str(target))
    return match[1] if match else ""


def _hide_environment(cfg: DictConfig) -> dict[str, Any]:
    """Resolve the config with `<from environment NAME>` for each text from the environment.

    A number is no secret, and stays: SLURM's task number as a seed makes a run of its own.
    """

    def hide(name: str, default: Any = ABSENT) -> Any:
        value = os.environ.get(name, default)
        if value == ABSENT:
            return oc.env(name)  # which raises OmegaConf's error
        return value if name not in os.environ or _NUMBER.fullmatch(value) else FROM_ENVIRONMENT.format(name)

    OmegaConf.register_new_resolver("oc.env", hide, replace=True)
    try:
        return to_dict(cfg)
    finally:
        OmegaConf.register_new_resolver("oc.env", oc.env, replace=True)


def unresolved_yaml(cfg: DictConfig) -> str:
    """The config for another process of this machine: resolved, but for what comes from the environment."""
    values = _keep_references(OmegaConf.to_container(cfg), _hide_environment(cfg), to_dict(cfg))
    return OmegaConf.to_yaml(OmegaConf.create(values))


def _keep_references(raw: Any, hidden: Any, resolved: Any) -> Any:
    """The resolved value, or the raw text with its `${..}` where the value comes from the environment."""
    if isinstance(resolved, dict) and isinstance(raw, dict):
        return {key: _keep_references(raw[key], hidden[key], value) for key, value in resolved.items()}
    if isinstance(resolved, list) and isinstance(raw, list):
        return [_keep_references(*values) for values in zip(raw, hidden, resolved, strict=True)]
    return escape(resolved) if hidden == resolved else raw
