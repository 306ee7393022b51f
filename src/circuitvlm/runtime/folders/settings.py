"""Separate the scientific settings of a config, which decide a run's results, from its infrastructure settings."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from circuitvlm.runtime.config import allow_list

Config = Mapping[str, Any] | DictConfig
ABSENT = "<absent>"
INFRASTRUCTURE_KEYS = (
    *("folder", "runs", "overwrite", "allow_changed", "logger", "hydra"),
    *("num_workers", "micro_batch_size", "eval_batch_size"),
    "max_unreadable_images",  # a limit: it changes no result of a run that stays below it
    *("log_every_n_steps", "checkpoint_every_n_steps", "checkpoint_keep", "checkpoint_best"),
)
"""Top-level keys that change how a run is computed, but not its results."""

INFRASTRUCTURE_ARGUMENTS = ("num_workers", "cache")
"""Arguments of any part that change its speed and the place of its files, but not what it returns."""

NEUTRAL_KEYS = ("name", "baselines")
"""Further keys that are left out: the name is a folder of its own, and a baseline is another run."""

MICRO_BATCH_OBJECTIVE = "circuitvlm.objective.micro_batch.MicroBatch"
"""The objective whose loss depends on `micro_batch_size`, which is a scientific setting with it."""

SCIENTIFIC_TRAINER_KEYS = re.compile(
    r"trainer\.(fast_dev_run|overfit_batches|limit_\w+|min_\w+|max_\w+|gradient_clip_algorithm)"
)
"""The arguments of the trainer that change the results; its other arguments say where a run is computed."""

DISPLAY_CALLBACKS = frozenset(
    f"lightning.pytorch.callbacks.{name}" for name in ("LearningRateMonitor", "RichProgressBar", "TQDMProgressBar")
)


def difference(cfg: Config, base: Config) -> dict[str, Any]:
    """Dotted key -> value of each scientific setting that differs from the base; ABSENT for one that `cfg` lacks."""
    new, old = scientific_settings(cfg), scientific_settings(base)
    keys = sorted(new.keys() | old.keys())
    return {key: new.get(key, ABSENT) for key in keys if value_text(new, key) != value_text(old, key)}


def scientific_settings(cfg: Config) -> dict[str, Any]:
    """Dotted key -> value of everything that decides a run's results."""
    plain = to_dict(cfg)
    display = {f"callback.{name}" for name, part in (plain.get("callback") or {}).items() if _is_display(part)}
    leaves = dict(_leaves(plain))
    uses_micro_batch = leaves.get(f"objective.{allow_list.TARGET}") == MICRO_BATCH_OBJECTIVE
    extra_keys = ["micro_batch_size"] * uses_micro_batch
    return {key: value for key, value in leaves.items() if key in extra_keys or not is_infrastructure(key, display)}


def _is_display(part: Any) -> bool:
    """Whether a callback cannot change a result; classes of this project state it by `infrastructure = True`."""
    if part is None:
        return True
    if not isinstance(part, Mapping) or part.get(allow_list.TARGET) in DISPLAY_CALLBACKS:
        return isinstance(part, Mapping)
    return bool(getattr(allow_list.resolve(part.get(allow_list.TARGET), "callback"), "infrastructure", False))


def is_infrastructure(key: str, display: Collection[str] = ()) -> bool:
    """Whether a dotted key changes no result; `display` holds the callbacks (`callback.<name>`) that change none."""
    if key.startswith("trainer."):
        return not SCIENTIFIC_TRAINER_KEYS.fullmatch(key)
    section, *names = key.split(".")
    return (
        (names or [section])[-1] in INFRASTRUCTURE_ARGUMENTS
        or section in (*INFRASTRUCTURE_KEYS, *NEUTRAL_KEYS)
        or ".".join([section, *names[:1]]) in display
        or key in ("trainer", "callback")
    )


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _leaves(inner, f"{key}.{name}" if key else str(name))
    else:
        yield key, value


def value_text(leaves: Mapping[str, Any], key: str) -> str:
    """The value of a dotted key as JSON; ABSENT where the key is not there."""
    return json.dumps(_normalize(leaves[key]), sort_keys=True, default=str) if key in leaves else ABSENT


def _normalize(value: Any) -> Any:
    """Write 1.0 as 1, since the two are one value; 1 and true remain two."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, (list, tuple)):
        return [_normalize(inner) for inner in value]
    return value


def to_dict(cfg: Config) -> dict[str, Any]:
    """Plain resolved containers; in a mapping that is plain already, what looks like ${...} is text and stays."""
    plain = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True) if isinstance(cfg, DictConfig) else cfg
    assert isinstance(plain, Mapping), f"expected a mapping, got {type(plain)}"
    return {str(key): value for key, value in plain.items()}
