"""Reduce a run's settings for a smoke test, which shows only that the recipe runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

OVERRIDES: Mapping[str, Any] = {
    "max_steps": 1,
    "max_epochs": None,
    "validate_items": 4,
    "eval_items": 4,
    "init_adapter": None,
}
"""What `smoke_test=true` changes, next to a small model and no baselines."""

MAX_COUNT = 64
"""The largest `count` in the data section of a smoke test."""


def smoke_test_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a smoke test. A smoke test that is trained already keeps its adapter and its zero steps."""
    overrides = dict(OVERRIDES)
    if settings["max_steps"] == 0:
        overrides |= {key: settings[key] for key in ("max_steps", "init_adapter")}
    return {**settings, **overrides, "data": _limit_count("data", settings["data"])}


def _limit_count(key: str, value: Any) -> Any:
    """The value of a key of the data section, with every `count` in it limited to MAX_COUNT."""
    if isinstance(value, Mapping):
        return {name: _limit_count(name, inner) for name, inner in value.items()}
    return min(value, MAX_COUNT) if key == "count" and isinstance(value, int) else value
