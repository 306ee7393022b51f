"""Does every metric keep its promises, on the truths of the tasks that use it? And would we notice if not?"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from circuitvlm.core.record import Score
from circuitvlm.runtime.config.allow_list import instantiate
from tests.contract import parts
from tests.contract.sources import GARBAGE, fitting, tasks

Truths = Sequence[tuple[Any, Any]]
"""Each task's truth, with what the task reads out of a perfect reply."""

ODD = (
    None,
    "",
    "garbage",
    *GARBAGE[:4],
    0,
    1,
    -1.5,
    10**400,
    math.nan,
    math.inf,
    True,
    (),
    [],
    {},
    {"a": 1},
    b"\xff",
    object(),
)


def promise_best(metric: Any, truths: Truths) -> None:
    """The truth itself, and what is read out of a perfect reply, have the best score."""
    for read, truth in truths:
        for same in (truth, read):
            value = metric.score(same, truth).value
            assert value == 1, f"score(t, t) is {value}, for {truth!r:.120}"


def promise_bounded(metric: Any, truths: Truths) -> None:
    """Whatever was read has a score in [0, 1] and no exception."""
    others = [truth for _, truth in truths]
    for _, truth in truths[:3]:
        for odd in (*ODD, *others):
            try:
                score = metric.score(odd, truth)
            except Exception as error:  # that there is none is the promise
                raise AssertionError(f"scoring {odd!r:.60} raised {error!r}") from error
            assert isinstance(score, Score), f"scoring {odd!r:.60} gave {type(score)}"
            assert isinstance(score.value, float), f"scoring {odd!r:.60} gave a {type(score.value)}"
            assert 0 <= score.value <= 1, f"scoring {odd!r:.60} gave {score.value}"


def promise_unreadable(metric: Any, truths: Truths) -> None:
    """An answer that could not be read is worth nothing."""
    for _, truth in truths:
        value = metric.score(None, truth).value
        assert value == 0, f"an unreadable answer is worth {value}"


def promise_same(metric: Any, truths: Truths) -> None:
    """The same score when asked again: replies are graded again later, in another order."""
    pairs = [(read, truth) for read, _ in truths for _, truth in truths[:3]]
    first = [metric.score(*pair).value for pair in pairs]
    again = [metric.score(*pair).value for pair in reversed(pairs)][::-1]
    assert first == again, "another score when asked again"


def variants() -> list[tuple[str, dict[str, Any]]]:
    """Each metric YAML as it stands, and with the settings that a task's YAML gives to it."""
    found: list[tuple[str, dict[str, Any]]] = [(name, {}) for name in parts.names("metric")]
    for path in sorted((parts.CONF / "task").glob("*.yaml")):
        plain = OmegaConf.to_container(OmegaConf.load(path))
        assert isinstance(plain, dict), f"{path} is no mapping"
        chosen = {
            key: name for entry in plain.get("defaults", []) if isinstance(entry, dict) for key, name in entry.items()
        }
        for key, settings in plain.get("metrics", {}).items():
            variant = (chosen[f"/metric@metrics.{key}"], settings)
            found += [variant] if variant not in found else []
    return found


def truths_for(section: dict[str, Any], folder: Path) -> list[tuple[Any, Any]]:
    """The truths of each task that uses a metric; one that no task uses is tried on all that compare like with like.

    (Some tasks' truths know more than an answer says: those are for metrics of their own.)
    """
    used, unused = [], []  # type: list[tuple[Any, Any]], list[tuple[Any, Any]]
    for metrics, pairs in _read(folder):
        (used if section in metrics else unused).extend(pairs)
    return used or [(read, truth) for read, truth in unused if type(read) is type(truth)]


@cache
def _read(folder: Path) -> list[tuple[list[dict[str, Any]], list[tuple[Any, Any]]]]:
    """The metrics of each task, and what it reads out of perfect replies beside the truths; once for all metrics."""
    found = []
    for key, section in tasks():
        task = instantiate(section)
        pairs = [(task.read(task.ask(e).reply), task.truth(e)) for e in fitting(key, task, folder)]
        found.append((list(section["metrics"].values()), pairs))
    return found


# ------------------------------------------------------------------------------------------------------- what is there


@pytest.mark.parametrize(
    ("name", "settings"),
    variants(),
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else value,
)
@parts.each_promise(globals())
def test_metric_keeps(promise: parts.Promise, name: str, settings: dict[str, Any], cache: Path) -> None:
    section = parts.section("metric", name) | settings
    parts.check_promise(promise, instantiate(section), truths_for(section, cache))


# -------------------------------------------------------------------------------------- and we would notice if it broke


class Same:
    """A metric that keeps every promise. Its faults are the subclasses."""

    def score(self, prediction: Any, truth: Any) -> Score:
        return Score(value=float(type(prediction) is type(truth) and prediction == truth))


class Strict(Same):
    def score(self, prediction: Any, truth: Any) -> Score:
        return Score(value=float(prediction is not None and prediction is not truth))


class Length(Same):
    def score(self, prediction: Any, truth: Any) -> Score:
        return Score(value=len(prediction) / len(truth))


class Mild(Same):
    def score(self, prediction: Any, truth: Any) -> Score:
        return Score(value=0.1) if prediction is None else super().score(prediction, truth)


class Moody(Same):
    turn = 0

    def score(self, prediction: Any, truth: Any) -> Score:
        self.turn += 1
        return Score(value=1 / self.turn)


BROKEN: list[tuple[Callable[..., None], type[Same], str]] = [
    (promise_best, Strict, "score\\(t, t\\)"),
    (promise_bounded, Length, "raised"),
    (promise_unreadable, Mild, "unreadable"),
    (promise_same, Moody, "asked again"),
]


@pytest.mark.parametrize(("promise", "kind", "said"), BROKEN, ids=[parts.name_of(row[0]) for row in BROKEN])
def test_a_broken_metric_is_noticed(promise: parts.Promise, kind: type[Same], said: str) -> None:
    truths = [("Ohm", "Ohm"), ("Farad", "Farad")]
    promise(Same(), truths)
    with pytest.raises(AssertionError, match=said):
        promise(kind(), truths)


def test_every_promise_is_proven() -> None:
    assert parts.unproven_promises(globals(), BROKEN) == []
