"""What is wrong with a run that only its parts can tell, before weights are loaded and anything is trained?"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from circuitvlm.core.contract import Model, Source
from circuitvlm.runtime.spelling import suggestion
from circuitvlm.training.batches.data_module import TRAIN, VALIDATION


def faults(
    settings: Mapping[str, Any], sources: Mapping[str, Source], tasks: Mapping[str, Any], *, model: Model
) -> Iterator[str]:
    """Misspelt components and splits, unkeepable shares, and callbacks that go by a validation where there is none."""
    yield from _odd_components(settings["lr_scale"], model)
    yield from odd_splits(settings["evaluate"], sources, key="evaluate")
    yield from _shares(settings["shares"], sources, tasks)
    if settings["steps"] != 0 and not any(VALIDATION in source.splits() for source in sources.values()):
        for name, part in (settings["callback"] or {}).items():
            if part and part.get("monitor"):
                yield (
                    f"callback.{name}: it goes by {part['monitor']!r}, but no source states the split {VALIDATION!r}, "
                    f"so nothing is validated; state one, or say callback.{name}=null: the last checkpoint is the run's"
                )


def odd_splits(splits: Iterable[str], sources: Mapping[str, Source], *, key: str) -> Iterator[str]:
    """The splits that no source states, with the nearest that one does."""
    known = sorted({split for source in sources.values() for split in source.splits()})
    for split in splits:
        if split not in known:
            yield f"{key}: no split {split!r}.{suggestion(split, known)} There are {', '.join(known)}"


def _odd_components(scales: Mapping[str, float], model: Model) -> Iterator[str]:
    for name in scales:
        if name not in model.components:
            known = ", ".join(model.components)
            yield f"lr_scale: no component {name!r}.{suggestion(name, model.components)} There are {known}"


def silences(settings: Mapping[str, Any], sources: Mapping[str, Source]) -> Iterator[str]:
    """What of the sources is neither validated nor graded: a split is asked of those that state it."""
    for name, source in sources.items():
        splits = source.splits()
        if VALIDATION not in splits:
            yield f"data.{name} states no split {VALIDATION!r}: nothing of it is validated while training"
        if settings["evaluate"] and not set(settings["evaluate"]) & set(splits):
            yield f"evaluate={list(settings['evaluate'])}: nothing of data.{name} is graded; it has {', '.join(splits)}"


def _shares(shares: Mapping[str, float], sources: Mapping[str, Source], tasks: Mapping[str, Any]) -> Iterator[str]:
    parts = {source: [source, *(f"{source}/{task}" for task in tasks)] for source in sources}
    named = sorted(name for names in parts.values() for name in names)
    odd = [name for name in shares if name not in named]
    for name in odd:
        yield f"shares: no source or source/task {name!r}.{suggestion(name, named)}"
    for name, share in shares.items():
        if not (math.isfinite(share) and share >= 0):
            yield f"shares.{name}: wanted 0 or more, came {share}"
    if shares and not any(shares.values()):
        yield f"shares: wanted one of them above 0, came {dict(shares)}"
    for source, names in parts.items() if shares and not odd else ():
        trained = TRAIN in sources[source].splits()
        said = [name for name in names if shares.get(name)]
        if trained and not any(name in shares for name in names):
            yield f"shares: nothing is said of {source}; shares.{source}=0 leaves it out"
        if said and not trained:
            yield f"shares.{said[0]}: data.{source} states no split {TRAIN!r}, so nothing of it can be trained on"
