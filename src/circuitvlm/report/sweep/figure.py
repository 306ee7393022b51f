"""What does a sweep look like? A line for each trial over all that was swept, and what decided the metric, as PNG."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from circuitvlm.report.figure import COLOURS, png, wrapped
from circuitvlm.report.sweep.results import Sweep, Trial, number

ENOUGH = 4
"""Finished trials below which what is said of a key's importance is noise."""

_WIDE, _LONGEST = 30.0, 22
"""Numbers whose ends are so far apart are drawn by their logarithm; a longer word loses its middle."""

_FEW, _APART = 6, 0.04
"""A key of so few numbers, as a grid has, is drawn evenly: none far off squeezes the others. Nearer marks overlap."""

_BEHIND = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.6}
_LOOKS = {"pruned": ("--", "0.55"), "failed": (":", COLOURS[1]), "not finished": (":", "0.75")}


@dataclass(frozen=True, slots=True)
class _Axis:
    """One upright axis: where each trial crosses it (0 to 1, NaN for none), and what stands beside it."""

    name: str
    places: np.ndarray
    marks: Sequence[tuple[float, str]]


def parallel(sweep: Sweep) -> bytes:
    """Parallel coordinates: an axis for each key that was swept, the last for the metric, the colour of a line by it.

    Pruned trials are dashed, up to the value at which they were stopped; failed ones are dotted and end before it.
    """
    axes_ = [_of_key(sweep, key) for key in sweep.keys] + [_of_metric(sweep)]
    figure = Figure(figsize=(max(6.5, 2.1 * len(axes_)), 4.6), layout="constrained")
    axes = figure.subplots()
    best = [trial.value for trial in sweep.finished if trial.value is not None]
    norm = Normalize(min(best, default=0.0), max(best, default=1.0))
    colours = colormaps["viridis" if sweep.minimize else "viridis_r"]  # the best dark: yellow is hardly seen on white
    for place, trial in reversed(list(enumerate(sweep.trials))):  # the best on top
        shift = 0.012 * math.sin(2.4 * place)  # lines over the same words stay apart
        heights = [axis.places[place] + (shift if axis is not axes_[-1] else 0) for axis in axes_]
        line, colour = _LOOKS.get(trial.outcome.state, ("-", colours(norm(trial.value or 0.0))))
        end = {"failed": "x", "pruned": "o"}.get(trial.outcome.state)
        last = int(np.flatnonzero(np.isfinite(heights)).max(initial=0))
        width, above = (2.2 if place == 0 and best else 1.4), (3 if end == "x" else 2)
        axes.plot(heights, ls=line, color=colour, lw=width, marker=end, markevery=[last], zorder=above)
    _upright(axes, axes_)
    if best:
        figure.colorbar(ScalarMappable(norm, colours), ax=axes, label=wrapped(sweep.metric), pad=0.02)
    _legend(axes, sweep)
    return png(figure)


def importance(sweep: Sweep) -> bytes | None:
    """A bar for each key: its share in what the metric varied by, by functional ANOVA over random trees (Optuna's).

    None where too few trials finished, all came to the same, or Optuna is not installed.
    """
    shares = _shares(sweep)
    if not shares:
        return None
    figure = Figure(figsize=(6.5, 1.2 + 0.42 * len(shares)), layout="constrained")
    axes = figure.subplots()
    axes.barh([_short(key) for key in reversed(shares)], list(reversed(shares.values())), color=COLOURS[0], height=0.6)
    for place, share in enumerate(reversed(shares.values())):
        axes.text(share + 0.01, place, f"{share:.2f}", va="center", fontsize=9)
    axes.set_xlim(0, 1.1)
    axes.set_xlabel(f"share in the variance of {sweep.metric}\n(functional ANOVA, {len(sweep.finished)} trials)")
    axes.spines[["top", "right"]].set_visible(False)
    return png(figure)


def _shares(sweep: Sweep) -> dict[str, float]:
    values = {trial.value for trial in sweep.finished}
    keys = [key for key in sweep.keys if len({trial.values[key] for trial in sweep.finished}) > 1]
    if len(sweep.finished) < ENOUGH or len(values) < 2 or not keys or importlib.util.find_spec("optuna") is None:
        return {}
    import optuna  # an extra: a sweep of every combination does without

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    spans: dict[str, Any] = {key: _distribution(sweep, key, optuna.distributions) for key in keys}
    study = optuna.create_study(direction="minimize" if sweep.minimize else "maximize")
    for trial in sweep.finished:
        params = {key: number(trial.values[key]) if sweep.numbers(key) else trial.values[key] for key in keys}
        study.add_trial(optuna.create_trial(params=params, distributions=spans, value=trial.value))
    found = optuna.importance.get_param_importances(
        study, evaluator=optuna.importance.FanovaImportanceEvaluator(seed=0)
    )
    return {key: float(share) for key, share in found.items()}


def _distribution(sweep: Sweep, key: str, kinds: Any) -> Any:
    texts = [trial.values[key] for trial in sweep.finished]
    if not sweep.numbers(key):
        return kinds.CategoricalDistribution(sorted(set(texts)))
    numbers = [value for text in texts if (value := number(text)) is not None]
    return kinds.FloatDistribution(min(numbers), max(numbers), log=_logarithmic(numbers))


def _logarithmic(numbers: Sequence[float]) -> bool:
    return min(numbers) > 0 and max(numbers) / min(numbers) >= _WIDE


def _of_key(sweep: Sweep, key: str) -> _Axis:
    texts = [trial.values[key] for trial in sweep.trials]
    if sweep.numbers(key):
        numbers = [value for text in texts if (value := number(text)) is not None]
        if len(set(numbers)) > _FEW:
            return _of_numbers(key, numbers)
        words = {value: f"{value:.3g}" for value in sorted(set(numbers))}
        return _evenly(key, numbers, words)
    return _evenly(key, texts, {text: _short(text) for text in sorted(set(texts))})


def _evenly(name: str, found: Sequence[float | str], words: Mapping[Any, str]) -> _Axis:
    """One place for each of a few values, in the order of `words`, which says what stands there."""
    heights = {value: (place + 0.5) / len(words) for place, value in enumerate(words)}
    return _Axis(name, np.array([heights[value] for value in found]), [(heights[v], word) for v, word in words.items()])


def _of_metric(sweep: Sweep) -> _Axis:
    told = [trial.value for trial in sweep.trials if trial.value is not None]
    return (
        _of_numbers(sweep.metric, [trial.value if _counts(trial) else None for trial in sweep.trials])
        if told
        else (_Axis(sweep.metric, np.full(len(sweep.trials), np.nan), []))
    )


def _counts(trial: Trial) -> bool:
    return trial.outcome.state in ("finished", "pruned")


def _of_numbers(name: str, found: Sequence[float | None]) -> _Axis:
    there = [value for value in found if value is not None]
    if not there:
        return _Axis(name, np.full(len(found), np.nan), [])
    log = _logarithmic(there)
    scaled = np.array([np.nan if v is None else math.log(v) if log else v for v in found])
    low, high = np.nanmin(scaled), np.nanmax(scaled)
    places = (scaled - low) / (high - low) if high > low else np.where(np.isnan(scaled), np.nan, 0.5)
    ends = np.linspace(low, high, 5) if high > low else np.array([low])
    if len(set(there)) <= 5:
        ends = np.unique(scaled[np.isfinite(scaled)])
    marks = [((e - low) / (high - low) if high > low else 0.5, f"{math.exp(e) if log else e:.3g}") for e in ends]
    return _Axis(name, places, _readable(marks))


def _readable(marks: Sequence[tuple[float, str]]) -> list[tuple[float, str]]:
    """Those of rising marks that do not lie over the one before."""
    kept: list[tuple[float, str]] = []
    for mark in marks:
        if not kept or mark[0] - kept[-1][0] >= _APART:
            kept.append(mark)
    return kept


def _upright(axes: Any, found: Sequence[_Axis]) -> None:
    for place, axis in enumerate(found):
        axes.axvline(place, color="black", lw=0.8)
        for height, text in axis.marks:
            axes.plot([place - 0.02, place], [height, height], color="black", lw=0.8)
            axes.text(
                place - 0.04,
                height,
                text.replace("$", r"\$"),
                ha="right",
                va="center",
                fontsize=8,
                bbox=_BEHIND,
                zorder=5,
            )
    axes.set_xticks(range(len(found)), [wrapped(_short(axis.name, 60)) for axis in found], fontsize=9)
    axes.set_xlim(-0.45, len(found) - 0.95)
    axes.set_ylim(-0.06, 1.06)
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


def _legend(axes: Any, sweep: Sweep) -> None:
    states = {trial.outcome.state for trial in sweep.trials}
    lines = [
        Line2D([], [], ls=line, color=colour, marker={"failed": "x", "pruned": "o"}.get(state), label=state)
        for state, (line, colour) in _LOOKS.items()
        if state in states
    ]
    if lines:
        axes.legend(handles=lines, loc="upper center", bbox_to_anchor=(0.5, -0.09), ncols=3, frameon=False, fontsize=8)


def _short(text: str, longest: int = _LONGEST) -> str:
    half = longest // 2
    return text if len(text) <= longest else f"{text[: half - 1]}…{text[-half:]}"
