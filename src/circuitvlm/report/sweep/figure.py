"""Draw a sweep as PNG: a line for each trial across all swept keys, and the importance of each key."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from circuitvlm.report.drawing import COLOURS, figure_text, png, shorten, wrap_name
from circuitvlm.report.sweep.results import Sweep
from circuitvlm.report.table import parse_number

MIN_FINISHED = 4
"""With fewer finished trials, the importance of a key is noise."""

_LOGARITHMIC_RATIO = 30.0  # of the largest to the smallest number
_MAX_WORD, _MAX_AXIS_NAME = 22, 60  # characters
_MAX_EVEN_NUMBERS = 6  # drawn at equal distances, so that those of a grid can be distinguished
_MAX_MARKS, _MIN_MARK_DISTANCE = 5, 0.04  # on an axis of numbers; nearer marks overlap
_BACKGROUND = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.6}
_LINE_STYLES = {"pruned": ("--", "0.55"), "failed": (":", COLOURS[1]), "not finished": (":", "0.75")}
_END_MARKS = {"failed": "x", "pruned": "o"}


@dataclass(frozen=True, slots=True)
class _Axis:
    """A vertical axis: the height at which each trial crosses it (0 to 1, NaN for none), and (height, text) marks."""

    name: str
    heights: np.ndarray
    marks: Sequence[tuple[float, str]]


def draw_parallel(sweep: Sweep) -> bytes:
    """Draw parallel coordinates: an axis for each swept key, the last for the metric, which also colours the lines.

    Pruned trials are dashed, up to the value at which they were stopped; failed ones are dotted and end before it.
    """
    coordinates = [*(_key_axis(sweep, key) for key in sweep.keys), _metric_axis(sweep)]
    figure = Figure(figsize=(max(6.5, 2.1 * len(coordinates)), 4.6), layout="constrained")
    axes = figure.subplots()
    finished_values = [trial.value for trial in sweep.finished_trials if trial.value is not None]
    norm = Normalize(min(finished_values, default=0.0), max(finished_values, default=1.0))
    colours = colormaps["viridis" if sweep.minimize else "viridis_r"]  # dark for the best: yellow is hardly visible
    for index, trial in reversed(list(enumerate(sweep.trials))):  # the best is drawn last, over the others
        shift = 0.012 * math.sin(2.4 * index)  # separates lines through the same values
        heights = [axis.heights[index] + (shift if axis is not coordinates[-1] else 0) for axis in coordinates]
        line, colour = _LINE_STYLES.get(trial.outcome.state, ("-", colours(norm(trial.value or 0.0))))
        end = _END_MARKS.get(trial.outcome.state)
        last = int(np.flatnonzero(np.isfinite(heights)).max(initial=0))
        width, zorder = (2.2 if index == 0 and finished_values else 1.4), (3 if end == "x" else 2)
        axes.plot(heights, ls=line, color=colour, lw=width, marker=end, markevery=[last], zorder=zorder)
    _draw_axes(axes, coordinates)
    if finished_values:
        figure.colorbar(ScalarMappable(norm, colours), ax=axes, label=wrap_name(sweep.metric), pad=0.02)
    _draw_legend(axes, sweep)
    return png(figure)


def draw_importance(sweep: Sweep) -> bytes | None:
    """Draw a bar for each key: its share in the variance of the metric, by functional ANOVA over random trees (Optuna).

    None where too few trials finished, all have the same value, or Optuna is not installed.
    """
    shares = _variance_shares(sweep)
    if not shares:
        return None
    figure = Figure(figsize=(6.5, 1.2 + 0.42 * len(shares)), layout="constrained")
    axes = figure.subplots()
    for row, (key, share) in enumerate(reversed(shares.items())):
        axes.barh(figure_text(shorten(key, _MAX_WORD)), share, color=COLOURS[0], height=0.6)
        axes.text(share + 0.01, row, f"{share:.2f}", va="center", fontsize=9)
    method = f"(functional ANOVA, {len(sweep.finished_trials)} trials)"
    axes.set(xlim=(0, 1.1), xlabel=f"share in the variance of {wrap_name(sweep.metric)}\n{method}")
    axes.spines[["top", "right"]].set_visible(False)
    return png(figure)


def _variance_shares(sweep: Sweep) -> dict[str, float]:
    trials = sweep.finished_trials
    keys = [key for key in sweep.keys if len({trial.values[key] for trial in trials}) > 1]
    has_variance = len({trial.value for trial in trials}) > 1
    if len(trials) < MIN_FINISHED or not has_variance or not keys or importlib.util.find_spec("optuna") is None:
        return {}
    import optuna  # an optional dependency, which a sweep of a grid does not need

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    ranges: dict[str, Any] = {key: _distribution(sweep, key, optuna.distributions) for key in keys}
    study = optuna.create_study(direction="minimize" if sweep.minimize else "maximize")
    numeric_keys = {key for key in keys if sweep.numbers(key)}
    for trial in trials:
        values = {key: parse_number(trial.values[key]) if key in numeric_keys else trial.values[key] for key in keys}
        study.add_trial(optuna.create_trial(params=values, distributions=ranges, value=trial.value))
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    return {k: float(share) for k, share in optuna.importance.get_param_importances(study, evaluator=evaluator).items()}


def _distribution(sweep: Sweep, key: str, distributions: Any) -> Any:
    texts = [trial.values[key] for trial in sweep.finished_trials]
    if not sweep.numbers(key):
        return distributions.CategoricalDistribution(sorted(set(texts)))
    numbers = [number for text in texts if (number := parse_number(text)) is not None]
    return distributions.FloatDistribution(min(numbers), max(numbers), log=_is_logarithmic(numbers))


def _is_logarithmic(numbers: Sequence[float]) -> bool:
    return min(numbers) > 0 and max(numbers) / min(numbers) >= _LOGARITHMIC_RATIO


def _key_axis(sweep: Sweep, key: str) -> _Axis:
    numbers = sweep.numbers(key)
    if numbers and len(set(numbers)) > _MAX_EVEN_NUMBERS:
        return _number_axis(key, numbers)
    values: Sequence[Any] = numbers or [trial.values[key] for trial in sweep.trials]
    different_values = sorted(set(values))
    heights = {value: (index + 0.5) / len(different_values) for index, value in enumerate(different_values)}
    marks = [(h, f"{value:.3g}" if numbers else shorten(value, _MAX_WORD)) for value, h in heights.items()]
    return _Axis(key, np.array([heights[value] for value in values]), marks)


def _metric_axis(sweep: Sweep) -> _Axis:
    states = ("finished", "pruned")
    return _number_axis(sweep.metric, [t.value if t.outcome.state in states else None for t in sweep.trials])


def _number_axis(name: str, values: Sequence[float | None]) -> _Axis:
    numbers = [value for value in values if value is not None]
    if not numbers:
        return _Axis(name, np.full(len(values), np.nan), [])
    log = _is_logarithmic(numbers)
    scaled_values = np.array([np.nan if v is None else math.log(v) if log else v for v in values])
    low, high = np.nanmin(scaled_values), np.nanmax(scaled_values)
    heights = (scaled_values - low) / (high - low) if high > low else np.where(np.isnan(scaled_values), np.nan, 0.5)
    ticks = np.linspace(low, high, _MAX_MARKS)
    if len(set(numbers)) <= _MAX_MARKS:
        ticks = np.unique(scaled_values[np.isfinite(scaled_values)])
    marks = [((t - low) / (high - low) if high > low else 0.5, f"{math.exp(t) if log else t:.3g}") for t in ticks]
    return _Axis(name, heights, _separate(marks))


def _separate(marks: Sequence[tuple[float, str]]) -> list[tuple[float, str]]:
    """The marks, in rising order, without those that overlap the one below."""
    separate_marks: list[tuple[float, str]] = []
    for mark in marks:
        if not separate_marks or mark[0] - separate_marks[-1][0] >= _MIN_MARK_DISTANCE:
            separate_marks.append(mark)
    return separate_marks


def _draw_axes(axes: Axes, coordinates: Sequence[_Axis]) -> None:
    style: dict[str, Any] = {"ha": "right", "va": "center", "fontsize": 8, "bbox": _BACKGROUND, "zorder": 5}
    for x, axis in enumerate(coordinates):
        axes.axvline(x, color="black", lw=0.8)
        for height, text in axis.marks:
            axes.plot([x - 0.02, x], [height, height], color="black", lw=0.8)
            axes.text(x - 0.04, height, figure_text(text), **style)
    names = [wrap_name(shorten(axis.name, _MAX_AXIS_NAME)) for axis in coordinates]
    axes.set_xticks(range(len(coordinates)), names, fontsize=9)
    axes.set(xlim=(-0.45, len(coordinates) - 0.95), ylim=(-0.06, 1.06), yticks=[])
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


def _draw_legend(axes: Axes, sweep: Sweep) -> None:
    states = {trial.outcome.state for trial in sweep.trials}
    lines = [
        Line2D([], [], ls=line, color=colour, marker=_END_MARKS.get(state), label=state)
        for state, (line, colour) in _LINE_STYLES.items()
        if state in states
    ]
    if lines:
        axes.legend(handles=lines, loc="upper center", bbox_to_anchor=(0.5, -0.09), ncols=3, frameon=False, fontsize=8)
