"""What does a study search, and how? Hydra's own words for ranges, and the settings of conf/hydra/sweeper/optuna.yaml.

The words are those of Hydra's extended grammar (hydra.cc/docs/advanced/override_grammar/extended): choices `a,b` and
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
    """As in the YAML of the sweeper, each with its comment there. Raises ConfigError for what cannot be."""

    metric: str
    direction: str
    n_trials: int
    seed: int
    startup: int
    prune_after: int | None
    prune_from: int
    parallel: int

    def __post_init__(self) -> None:
        faults = list(self._faults())
        if faults:
            raise ConfigError(faults)

    def _faults(self) -> Iterator[str]:
        if self.direction not in DIRECTIONS:
            hint = suggestion(self.direction, DIRECTIONS)
            yield f"hydra.sweeper.direction: wanted {' or '.join(DIRECTIONS)}, came {self.direction!r}.{hint}"
        least = {"n_trials": 1, "prune_after": 1, "parallel": 1}
        for field in fields(self):
            value: Any = getattr(self, field.name)
            if field.name in ("metric", "direction") or (field.name == "prune_after" and value is None):
                continue
            if not isinstance(value, int) or value < least.get(field.name, 0):
                wanted = f"a whole number, {least.get(field.name, 0)} or more"
                hint = " (with hydra.launcher.n_jobs=-1, say how many)" if field.name == "parallel" else ""
                yield f"hydra.sweeper.{field.name}: wanted {wanted}, came {value!r}{hint}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """One of a few words."""

    words: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """The numbers from low to high, both of them in it; whole ones where both are whole and there is a step."""

    low: float
    high: float
    step: float | None
    log: bool

    @property
    def whole(self) -> bool:
        return isinstance(self.low, int) and isinstance(self.high, int)


def space_of(overrides: Iterable[Override]) -> dict[str, Choice | Span]:
    """Key, as it is overridden, -> what it may be. Raises ConfigError where there is nothing to search, or no sense."""
    found = {override.get_key_element(): _of(override) for override in overrides}
    if not found:
        raise ConfigError(
            ["hydra/sweeper=optuna: nothing to search; say a range, such as 'optimizer.lr=interval(1e-5, 1e-3)'"]
        )
    return found


def _of(override: Override) -> Choice | Span:
    value: Any = override.value()
    tags = set(getattr(value, "tags", ()))
    if tags - {"log"}:
        raise ConfigError([f"{override.input_line}: the only tag is log, came {', '.join(sorted(tags))}"])
    if isinstance(value, RangeSweep):
        numbers = sorted(value.range())
        if not numbers:
            raise ConfigError([f"{override.input_line}: there is nothing in this range"])
        step = abs(value.step)
        return _span(override, numbers[0], numbers[-1], None if "log" in tags else step, log="log" in tags)
    if isinstance(value, IntervalSweep):
        assert value.start is not None, "the grammar wants both ends"
        assert value.end is not None, "the grammar wants both ends"
        whole = isinstance(value.start, int)
        return _span(override, value.start, value.end - whole, 1 if whole and not tags else None, log="log" in tags)
    if tags:
        raise ConfigError([f"{override.input_line}: words have no magnitude; tag(log, ..) is for numbers"])
    return Choice(words=tuple(override.sweep_string_iterator()))


def _span(override: Override, low: float, high: float, step: float | None, *, log: bool) -> Span:
    if low > high or (log and low <= 0):
        wanted = "more than 0 for tag(log, ..)" if log and low <= 0 else "the lower end first"
        raise ConfigError([f"{override.input_line}: wanted {wanted}, came {low} to {high}"])
    return Span(low=low, high=high, step=step, log=log)
