"""What may a run's config say at its top level?

Only the top level is typed here; inside a room the constructor that `_target_` names is the schema (see check.py).
What a researcher would vary has no default here: conf/train.yaml states it, so that grep finds the one place.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, OmegaConf

OWN_KEYS = {"run": ("shares", "lr_scale"), "evaluation": ("model", "trainer")}
"""Mappings whose keys are the user's, or another schema's: said on the command line without a `+`."""


@dataclass
class Run:
    """One training run, with everything that decides its numbers and everything that does not."""

    name: str = MISSING  # the experiment's name; also the first part of its folder
    folder: str = ""  # "" = derived once, from the name and what differs from the experiment (folder.py)
    runs: str = MISSING  # where the folders of all runs lie
    seed: int = MISSING
    fresh: bool = MISSING  # begin again: the run's old folder is deleted
    standin: bool = MISSING  # the small model in place of the real one
    steps: int | None = None  # exactly one of steps and epochs is given
    epochs: float | None = None
    minutes: float | None = None  # training stops after this wall-clock time, if it has not ended by itself
    global_batch: int = MISSING  # samples per optimizer step, over all ranks
    micro_batch: int = MISSING  # samples per rank and forward pass; accumulation is derived
    predict_batch: int = MISSING
    workers: int = MISSING  # loader processes per rank
    bad_images: int = MISSING  # so many images of the training may be unreadable: skipped and counted; one more stops
    precision: str = MISSING
    validate_every: int = MISSING  # in optimizer steps
    validate_items: int = MISSING
    evaluate: list[str] = MISSING  # the splits that are graded at the end
    evaluate_items: int | None = None  # None = all of them
    max_new_tokens: int = MISSING
    answering: str = MISSING  # direct | executed | both: which of the tasks are asked, where they come in both ways
    blr: float | None = None  # exactly one of blr, the rate of 256 samples, and optimizer.lr is given
    clip: float | None = None  # the gradient norm is cut to this
    lr_scale: dict[str, float] = field(default_factory=dict)  # component of the model's map -> factor on the rate
    checkpoint_every: int = MISSING  # in optimizer steps; where a killed run goes on from
    checkpoint_keep: int = MISSING  # the last so many; beside a damaged one lies the one before
    checkpoint_best: str | None = None  # a validated value whose best checkpoint and adapter are kept too
    log_every: int = MISSING
    init_adapter: str | None = None  # an adapter's folder or a run's folder to start from
    controls: dict[str, list[str]] | None = None  # name -> overrides: further rows of the last table

    shares: dict[str, float] = field(default_factory=dict)  # source, or source/task -> its part of the training

    data: dict[str, Any] = field(default_factory=dict)  # keyed by source
    tasks: dict[str, Any] = field(default_factory=dict)  # keyed by task
    model: dict[str, Any] = field(default_factory=dict)
    adapter: dict[str, Any] = field(default_factory=dict)
    dropout: dict[str, Any] = field(default_factory=dict)
    collate: dict[str, Any] = field(default_factory=dict)
    objective: dict[str, Any] = field(default_factory=dict)
    schedule: dict[str, Any] = field(default_factory=dict)
    optimizer: dict[str, Any] = field(default_factory=dict)
    quantization: dict[str, Any] | None = None
    trainer: dict[str, Any] = field(default_factory=dict)
    logger: dict[str, Any] = field(default_factory=dict)  # keyed by its own name
    callback: dict[str, Any] = field(default_factory=dict)  # keyed by its own name


@dataclass
class Evaluation:
    """One grading of what a run has learned; None means: as the run itself says."""

    run: str = MISSING  # the folder of a run, or of an adapter
    beside: list[str] | None = None  # further runs or adapters: rows of the same table, asked the same questions
    zero_shot: bool = MISSING  # the run's base without what was trained: a row too
    splits: list[str] | None = None
    items: int | None = None
    max_samples: int | None = None  # another word for items
    task_type: str | None = None  # equations | qa | both: the tasks of these kinds only
    answering: str | None = None  # direct | executed | both
    out: str | None = None  # where replies and tables go; None = inside the run's folder
    shuffle_images: bool = MISSING  # each question with the images of the next one: a control
    predict_batch: int | None = None
    max_new_tokens: int | None = None
    data: dict[str, Any] = field(default_factory=dict)  # whole sources in place of the run's own, or changes to those
    tasks: dict[str, Any] = field(default_factory=dict)  # the same of its tasks
    trainer: dict[str, Any] = field(default_factory=dict)  # merged over the run's own, as is `model`
    model: dict[str, Any] = field(default_factory=dict)
    precision: str | None = None


def register() -> None:
    """Make the schemas known to Hydra; harmless to repeat, needed before anything is composed."""
    store = ConfigStore.instance()
    for name, schema in (("run", Run), ("evaluation", Evaluation)):
        node = OmegaConf.structured(schema)
        for key in OWN_KEYS[name]:  # Hydra lets nobody add a key to a mapping that does not say so
            OmegaConf.set_struct(node[key], False)
        store.store(name=f"{name}_schema", node=node)
