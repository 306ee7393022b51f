"""Define the keys of the top level of a run's config and of an evaluation's, with their types.

conf/train.yaml and conf/eval.yaml explain each key. They also give its default, since what a researcher would vary has
no default here. The sections have no schema: the constructor that `_target_` names defines their keys (see check.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, OmegaConf

OWN_KEYS = {"run": ("mixture_weights", "lr_multipliers", "baselines"), "evaluation": ("model", "trainer")}
"""Mappings whose keys are the user's own or those of another schema; an override adds them without a `+`."""


@dataclass
class Run:
    """One training run."""

    name: str = MISSING
    folder: str = ""
    runs: str = MISSING
    seed: int = MISSING
    overwrite: bool = MISSING
    allow_changed: bool = MISSING
    smoke_test: bool = MISSING
    max_steps: int | None = None
    max_epochs: float | None = None
    max_minutes: float | None = None
    global_batch_size: int = MISSING
    micro_batch_size: int = MISSING
    eval_batch_size: int = MISSING
    num_workers: int = MISSING
    max_unreadable_images: int = MISSING
    precision: str = MISSING
    validate_every_n_steps: int = MISSING
    validate_items: int = MISSING
    eval_splits: list[str] = MISSING
    eval_items: int | None = None
    max_new_tokens: int = MISSING
    answer_mode: str = MISSING
    base_lr: float | None = None
    gradient_clip_val: float | None = None
    lr_multipliers: dict[str, float] = field(default_factory=dict)
    checkpoint_every_n_steps: int = MISSING
    checkpoint_keep: int = MISSING
    checkpoint_best: str | None = None
    log_every_n_steps: int = MISSING
    init_adapter: str | None = None
    baselines: dict[str, list[str]] | None = field(default_factory=dict)

    mixture_weights: dict[str, float] = field(default_factory=dict)

    data: dict[str, Any] = field(default_factory=dict)
    tasks: dict[str, Any] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)
    adapter: dict[str, Any] = field(default_factory=dict)
    dropout: dict[str, Any] = field(default_factory=dict)
    collate: dict[str, Any] = field(default_factory=dict)
    objective: dict[str, Any] = field(default_factory=dict)
    schedule: dict[str, Any] = field(default_factory=dict)
    optimizer: dict[str, Any] = field(default_factory=dict)
    quantization: dict[str, Any] | None = None
    trainer: dict[str, Any] = field(default_factory=dict)
    logger: dict[str, Any] = field(default_factory=dict)
    callback: dict[str, Any] = field(default_factory=dict)


@dataclass
class Evaluation:
    """One grading of what a run has learned; a value of None stands for the run's own value."""

    run: str = MISSING
    compare_with: list[str] | None = None
    zero_shot: bool = MISSING
    splits: list[str] | None = None
    max_samples: int | None = None
    task_type: str | None = None
    answer_mode: str | None = None
    out: str | None = None
    shuffle_images: bool = MISSING
    eval_batch_size: int | None = None
    max_new_tokens: int | None = None
    data: dict[str, Any] = field(default_factory=dict)
    tasks: dict[str, Any] = field(default_factory=dict)
    trainer: dict[str, Any] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)
    precision: str | None = None


def register() -> None:
    """Register the schemas with Hydra, before anything is composed; it may be called repeatedly."""
    store = ConfigStore.instance()
    for name, schema in (("run", Run), ("evaluation", Evaluation)):
        node = OmegaConf.structured(schema)
        for key in OWN_KEYS[name]:  # else Hydra refuses to add keys to the mapping
            OmegaConf.set_struct(node[key], False)
        store.store(name=f"{name}_schema", node=node)
