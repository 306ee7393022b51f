"""Draw a study as PNG: shares with intervals, learning curves, and dropout over depth.

Lines differ in their colour and in their dashes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import cycle, islice
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from circuitvlm.report.drawing import COLOURS, LINES, png, wrap_name
from circuitvlm.report.significance import ALPHA, Interval, Verdict
from circuitvlm.report.study import Study
from circuitvlm.runtime.folders.outcome import SUMMARY_FILE
from circuitvlm.runtime.folders.saved_file import read_json

LINE_STYLES = tuple(islice(zip(cycle(COLOURS), cycle(LINES), strict=False), len(COLOURS) * len(LINES)))
"""A colour and a line for each arm. All differ, since 7 and 4 share no divisor; neighbours differ in both."""

SMOOTHING_SHARE = 0.02
"""The share of a run over which its loss is averaged."""

Curve = tuple[np.ndarray, np.ndarray]
"""Steps and values, or blocks and probabilities."""

Profile = Mapping[str, Sequence[Sequence[float]]]
"""Stack of blocks -> (block, probability)."""

_FACE_COLOURS = {"better": COLOURS[2], "worse": COLOURS[1], "not distinguishable": "white"}
_MAX_ONE_COLUMN = 8  # entries of a legend
_MAX_MARKED_POINTS = 40  # points of a line, each with a mark
_LOGARITHMIC_RATIO = 10  # of the largest to the smallest loss


@dataclass(frozen=True, slots=True)
class Bar:
    """A row of the figure of shares: a share, and the verdict on its gain over the base; None for the base."""

    name: str
    share: Interval
    verdict: Verdict | None = None


def draw_shares(bars: Sequence[Bar], *, label: str, seeds: bool) -> bytes:
    """Draw each row's share as a bar with its interval on the left, and its gain over the base on the right.

    The mark of a significant gain is filled, that of another is hollow. `seeds` says that names end in a number of
    seeds, which the label then explains.
    """
    names = [wrap_name(bar.name) for bar in bars]
    lines = sum(max(2, name.count("\n") + 1.5) for name in names)
    figure = Figure(figsize=(11, 1.3 + 0.18 * lines), layout="constrained")
    share_axes, gain_axes = figure.subplots(1, 2, sharey=True, width_ratios=[1.1, 1])
    _draw_bars(share_axes, bars)
    share_axes.set_yticks(range(len(bars)), names, fontsize=9)
    share_axes.set_xlabel(f"{wrap_name(label)}\n%, 95 % interval{', number of seeds in brackets' * seeds}")
    _draw_gains(gain_axes, bars)
    share_axes.set_ylim(len(bars) - 0.4, -0.6)
    return png(figure)


def _draw_bars(axes: Axes, bars: Sequence[Bar]) -> None:
    intervals = [bar.share for bar in bars]
    values, lows, highs = (100 * np.array([getattr(i, key) for i in intervals]) for key in ("value", "low", "high"))
    rows = np.arange(len(bars))
    axes.barh(rows, values, color=[COLOURS[5] if bar.verdict else COLOURS[0] for bar in bars], height=0.62)
    axes.errorbar(values, rows, xerr=[values - lows, highs - values], fmt="none", ecolor="black", capsize=3, lw=1.2)
    for row, value in enumerate(values):
        axes.text(102, row, f"{value:.1f}", va="center", fontsize=9)  # right of the axes, where no interval reaches
    axes.set_xlim(0, 100)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_gains(axes: Axes, bars: Sequence[Bar]) -> None:
    axes.axvline(0, color=COLOURS[0], lw=1, ls="--")
    for row, bar in enumerate(bars):
        if bar.verdict:
            gain, face = bar.verdict.gain, _FACE_COLOURS[bar.verdict.word]
            axes.plot([100 * gain.low, 100 * gain.high], [row, row], color="black", lw=1.4)
            axes.plot(100 * gain.value, row, "o", ms=7, mfc=face, mec="black")
    low, high = axes.get_xlim()
    limits = min(low, -1), max(high, 1)  # at least one point to each side, so that a tiny gain looks tiny
    axes.set(
        xlim=limits, xlabel=f"gain over the base, points, 95 % interval\nfilled: p < {ALPHA} after Holm's correction"
    )
    axes.tick_params(left=False)
    axes.spines[["top", "right", "left"]].set_visible(False)


def draw_curves(study: Study) -> bytes | None:
    """Draw learning rate and loss over optimizer steps, a line for each arm (the mean of its seeds).

    None where no run has logs.
    """
    logs = {arm.name: [read_curves(trial.folder) for trial in arm.trials] for arm in study.arms}
    if not any(curves for runs in logs.values() for curves in runs):
        return None
    rates, losses = ({name: _mean_curve(runs, key) for name, runs in logs.items()} for key in ("lr", "loss"))
    figure = _draw_panels([rates, losses])
    for axes, label in zip(figure.axes, ("learning rate", "training loss"), strict=True):
        axes.set(xlabel="optimizer step", ylabel=label)
    values = np.concatenate([loss for _, loss in losses.values()])
    if len(values) and 0 < _LOGARITHMIC_RATIO * values.min() < values.max():
        figure.axes[1].set_yscale("log")
    return png(figure)


def _mean_curve(runs: Sequence[Mapping[str, Curve]], key: str) -> Curve:
    """The mean of several runs at the steps that all of them have; empty where no run has any."""
    curves = [run[key] for run in runs if key in run]
    if not curves:
        return np.array([]), np.array([])
    common_steps = reduce(np.intersect1d, (steps for steps, _ in curves))
    values = [_smooth(values, key)[np.isin(steps, common_steps)] for steps, values in curves]
    return common_steps, np.mean(values, axis=0)


def draw_profiles(study: Study) -> bytes | None:
    """Draw dropout over the depth of each stack of blocks, a line for each profile; None where no arm has dropout."""
    profiles = {arm.name: _read_dropout(arm.trials[0].folder) for arm in study.arms}
    stacks = sorted({stack for profile in profiles.values() for stack in profile})
    if not any(p for profile in profiles.values() for stack in profile.values() for _, p in stack):
        return None
    figure = _draw_panels([{name: _depth_curve(p.get(stack, ())) for name, p in profiles.items()} for stack in stacks])
    for axes, stack in zip(figure.axes, stacks, strict=True):
        axes.set_title(wrap_name(stack), fontsize=10)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        largest = max(p for profile in profiles.values() for _, p in profile.get(stack, ()))
        axes.set(xlabel="block, counted from the input", ylabel="dropout probability", ylim=(0, 1.1 * largest or 1))
    return png(figure)


def _depth_curve(pairs: Sequence[Sequence[float]]) -> Curve:
    blocks, probabilities = np.array(pairs, dtype=float).reshape(-1, 2).T
    return blocks, probabilities


def _draw_panels(panels: Sequence[Mapping[str, Curve]]) -> Figure:
    """Draw the lines of each panel, side by side; the figure is higher by the legends below them."""
    figure = Figure(figsize=(5.5 * len(panels), 4), layout="constrained")
    all_axes = figure.subplots(1, len(panels), squeeze=False)[0]
    legend_heights = [_draw_lines(axes, lines) for axes, lines in zip(all_axes, panels, strict=True)]
    figure.set_figheight(3.8 + 0.15 * max(legend_heights, default=0))
    return figure


def _draw_lines(axes: Axes, lines: Mapping[str, Curve]) -> float:
    """Draw a line for each arm by name, equal ones once; an arm has the same style in all panels.

    Returns the height of the legend in lines of text.
    """
    styles = dict(zip(lines, cycle(LINE_STYLES), strict=False))
    groups: dict[tuple[bytes, bytes], list[str]] = {}
    for name, (x, y) in lines.items():
        if len(x):
            groups.setdefault((x.tobytes(), y.tobytes()), []).append(name)
    labels = _labels(list(groups.values()))
    for names, label in zip(groups.values(), labels, strict=True):
        (x, y), (colour, line) = lines[names[0]], styles[names[0]]
        mark = "." if len(x) <= _MAX_MARKED_POINTS else None
        axes.plot(x, y, color=colour, ls=line, lw=1.4, marker=mark, label=label)
    columns = 1 if len(labels) <= _MAX_ONE_COLUMN else 2
    if labels:
        position = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.16)}
        axes.legend(**position, fontsize=8, frameon=False, ncols=columns)
    axes.spines[["top", "right"]].set_visible(False)
    return sum(label.count("\n") + 1.4 for label in labels) / columns


def _labels(groups: Sequence[Sequence[str]]) -> list[str]:
    """A label for each group of arms with equal lines: the words that its arms share, where these differ by group."""
    common = [", ".join(word for word in g[0].split(", ") if all(word in n.split(", ") for n in g)) for g in groups]
    if not all(common) or len(set(common)) < len(common):
        common = [g[0] + (f" and {len(g) - 1} more" if len(g) > 1 else "") for g in groups]
    return [wrap_name(text) for text in common]


def read_curves(folder: Path) -> dict[str, Curve]:
    """lr and loss of a run's TensorBoard log, as (steps, values); a key that the run did not log is left out.

    Of a run that was resumed, the later value of a step counts.
    """
    if not (folder / "tensorboard").is_dir():
        return {}
    events = EventAccumulator(str(folder / "tensorboard"), size_guidance={"scalars": 0})
    events.Reload()
    curves = {}
    for key, prefix in (("lr", "lr-"), ("loss", "train/loss")):
        if tags := sorted(tag for tag in events.Tags()["scalars"] if tag.startswith(prefix)):
            values = {event.step: event.value for event in events.Scalars(tags[0])}
            steps = np.array(sorted(values))
            curves[key] = (steps, np.array([values[step] for step in steps]))
    return curves


def _read_dropout(folder: Path) -> Profile:
    """The dropout that the run recorded when it finished training."""
    path = folder / SUMMARY_FILE
    return dict(read_json(path, dict).get("dropout", {})) if path.is_file() else {}


def _smooth(values: np.ndarray, key: str) -> np.ndarray:
    width = max(1, round(SMOOTHING_SHARE * len(values))) if key == "loss" else 1
    padded_values = np.concatenate([np.full(width - 1, values[0]), values])
    return np.convolve(padded_values, np.full(width, 1 / width), mode="valid")
