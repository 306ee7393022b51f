"""Read the search space and the settings of a study, as in conf/hydra/sweeper/optuna.yaml.

Ranges are those of Hydra's extended grammar (hydra.cc/docs/advanced/override_grammar/extended): choices `a,b` and
`choice(a, b)`, `range(start, stop, step)` without its stop, `interval(low, high)`, `int(interval(low, high))` without
its high, and `tag(log, ..)` for a search by magnitude.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Any

from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep

from circuitvlm.runtime.config.check import ConfigError
from circuitvlm.runtime.spelling import suggestion

DIRECTIONS = ("minimize", "maximize")


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """The settings of a study, which the sweeper's YAML explains. Raises ConfigError for impossible values."""

    metric: str
    direction: str
    n_trials: int
    seed: int
    startup: int
    prune_after: int | None
    prune_from: int
    parallel: int

    def __post_init__(self) -> None:
        if faults := list(self._faults()):
            raise ConfigError(faults)

    def _faults(self) -> Iterator[str]:
        if self.direction not in DIRECTIONS:
            hint = suggestion(self.direction, DIRECTIONS)
            yield f"hydra.sweeper.direction: expected {' or '.join(DIRECTIONS)}, got {self.direction!r}.{hint}"
        minima = {"n_trials": 1, "prune_after": 1, "parallel": 1}
        for field in fields(self):
            value: Any = getattr(self, field.name)
            if field.name in ("metric", "direction") or (field.name == "prune_after" and value is None):
                continue
            minimum = minima.get(field.name, 0)
            if not isinstance(value, int) or value < minimum:
                hint = " (with hydra.launcher.n_jobs=-1, give a number)" if field.name == "parallel" else ""
                yield f"hydra.sweeper.{field.name}: expected a whole number >= {minimum}, got {value!r}{hint}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """One of several words."""

    words: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class NumberRange:
    """The numbers from low to high, both included."""

    low: float
    high: float
    step: float | None
    log: bool

    @property
    def is_integer(self) -> bool:
        return isinstance(self.low, int) and isinstance(self.high, int)


def search_space(overrides: Iterable[Override]) -> dict[str, Choice | NumberRange]:
    """Key, as it is overridden, -> its possible values. Raises ConfigError for none, and for an impossible range."""
    space = {override.get_key_element(): _values(override) for override in overrides}
    if not space:
        raise ConfigError(
            [f"hydra/sweeper=optuna: expected a range, such as 'optimizer.lr=interval(1e-5, 1e-3)', got {space}"]
        )
    return space


def _values(override: Override) -> Choice | NumberRange:
    value: Any = override.value()
    tags = set(getattr(value, "tags", ()))
    if tags - {"log"}:
        raise ConfigError([f"{override.input_line}: expected no tag but log, got {', '.join(sorted(tags))}"])
    if isinstance(value, RangeSweep):
        numbers = sorted(value.range())
        if not numbers:
            raise ConfigError([f"{override.input_line}: expected a range with numbers in it, got an empty one"])
        return _number_range(override, numbers[0], numbers[-1], None if tags else abs(value.step), log="log" in tags)
    if isinstance(value, IntervalSweep):
        assert value.start is not None, "the grammar requires both ends"
        assert value.end is not None, "the grammar requires both ends"
        is_integer = isinstance(value.start, int)
        step = 1 if is_integer and not tags else None
        return _number_range(override, value.start, value.end - is_integer, step, log="log" in tags)
    if tags:
        raise ConfigError([f"{override.input_line}: expected numbers in tag(log, ..), got words"])
    return Choice(words=tuple(override.sweep_string_iterator()))


def _number_range(override: Override, low: float, high: float, step: float | None, *, log: bool) -> NumberRange:
    if low > high or (log and low <= 0):
        rule = "more than 0 in tag(log, ..)" if log and low <= 0 else "the lower end first"
        raise ConfigError([f"{override.input_line}: expected {rule}, got {low} to {high}"])
    return NumberRange(low=low, high=high, step=step, log=log)
