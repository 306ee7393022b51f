"""Check a run's settings against its parts, before weights are loaded and anything is trained."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from circuitvlm.core.contract import Model, Source
from circuitvlm.runtime.learning_rate import REFERENCE_BATCH_SIZE
from circuitvlm.runtime.spelling import suggestion
from circuitvlm.training.batches.data_module import TRAIN, VALIDATION


def find_faults(
    settings: Mapping[str, Any], sources: Mapping[str, Source], tasks: Mapping[str, Any], *, model: Model
) -> Iterator[str]:
    """Unknown components and splits, impossible mixture weights, and callbacks without the validation they monitor."""
    yield from _unknown_names(settings["lr_multipliers"], model.components, key="lr_multipliers", kind="component")
    yield from unknown_splits(settings["eval_splits"], sources, key="eval_splits")
    yield from _mixture_faults(settings["mixture_weights"], sources, tasks)
    if settings["max_steps"] != 0 and not any(VALIDATION in source.splits() for source in sources.values()):
        for name, section in (settings["callback"] or {}).items():
            if section and section.get("monitor"):
                yield (
                    f"callback.{name}.monitor: expected a value that is computed, got {section['monitor']!r}; no "
                    f"source has the split {VALIDATION!r}, so nothing is validated. Add the split, or use "
                    f"callback.{name}=null: the last checkpoint is the run's result"
                )


def unknown_splits(splits: Iterable[str], sources: Mapping[str, Source], *, key: str) -> Iterator[str]:
    """A fault for each split that no source has."""
    known_splits = sorted({split for source in sources.values() for split in source.splits()})
    return _unknown_names(splits, known_splits, key=key, kind="split")


def _unknown_names(names: Iterable[str], choices: Collection[str], *, key: str, kind: str) -> Iterator[str]:
    for name in names:
        if name not in choices:
            yield f"{key}: expected a {kind} of {', '.join(choices)}, got {name!r}.{suggestion(name, choices)}"


def notes(settings: Mapping[str, Any], sources: Mapping[str, Source]) -> Iterator[str]:
    """What follows from the settings: the learning rate by `base_lr`, and sources that are not validated or graded."""
    if (base_lr := settings["base_lr"]) is not None:
        lr, batch_size = settings["optimizer"]["lr"], settings["global_batch_size"]
        yield f"optimizer.lr: base_lr {base_lr:g} x global_batch_size {batch_size} / {REFERENCE_BATCH_SIZE} = {lr:g}"
    for name, source in sources.items():
        splits = source.splits()
        if VALIDATION not in splits:
            yield f"data.{name} has no split {VALIDATION!r}: nothing of it is validated while training"
        if settings["eval_splits"] and not set(settings["eval_splits"]) & set(splits):
            splits_text = ", ".join(splits)
            yield f"eval_splits={list(settings['eval_splits'])}: nothing of data.{name} is graded; it has {splits_text}"


def _mixture_faults(
    weights: Mapping[str, float], sources: Mapping[str, Source], tasks: Mapping[str, Any]
) -> Iterator[str]:
    names_by_source = {source: [source, *(f"{source}/{task}" for task in tasks)] for source in sources}
    names = sorted(name for of_source in names_by_source.values() for name in of_source)
    yield from _unknown_names(weights, names, key="mixture_weights", kind="source or source/task")
    for name, weight in weights.items():
        if not (math.isfinite(weight) and weight >= 0):
            yield f"mixture_weights.{name}: expected 0 or more, got {weight}"
    if weights and not any(weights.values()):
        yield f"mixture_weights: expected at least one above 0, got {dict(weights)}"
    if not weights or not weights.keys() <= set(names):
        return
    for source, of_source in names_by_source.items():
        has_training = TRAIN in sources[source].splits()
        positive_names = [name for name in of_source if weights.get(name)]
        if has_training and not weights.keys() & set(of_source):
            yield f"mixture_weights: expected a weight of {source}, got none; mixture_weights.{source}=0 leaves it out"
        if positive_names and not has_training:
            yield (
                f"mixture_weights.{positive_names[0]}: expected a source with the split {TRAIN!r}, got data.{source}, "
                "which has none"
            )
