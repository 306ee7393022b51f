"""What does a study look like? Shares with intervals, curves over each other, and dropout over depth, as PNG.

Colours are Okabe and Ito's, which everyone tells apart (jfly.uni-koeln.de/color); lines and marks differ too.
"""

from __future__ import annotations

import io
import json
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import cycle, islice
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from circuitvlm.report.significance import ALPHA, Interval
from circuitvlm.report.study import Study

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's without their yellow, a line of which is hardly seen on white."""

LINES = ("-", "--", "-.", ":")
LOOKS = tuple(islice(zip(cycle(COLOURS), cycle(LINES), strict=False), len(COLOURS) * len(LINES)))
"""A colour and a line for each arm, no two alike since 7 and 4 share no divisor; neighbours differ in both."""

DPI = 160
SMOOTHED = 0.02
"""Share of a run over which its loss is averaged, for a curve that can be read."""

Curve = tuple[np.ndarray, np.ndarray]
"""Steps and values, or blocks and probabilities."""

Profile = Mapping[str, Sequence[Sequence[float]]]
"""Stack of blocks -> (block, probability)."""

_WIDTH, _LONGEST_NAME = 44, 120
_ONE_COLUMN = 8
_FEW, _WIDE = 40, 10
"""A line of so few points has marks; a loss that falls to less than one part in so many is drawn by its logarithm."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A row of the picture of shares; what it gains over the base, with its corrected p-value, is None for the base."""

    name: str
    share: Interval
    gain: Interval | None = None
    p: float = 1.0


def shares(bars: Sequence[Bar], *, label: str, seeds: bool) -> bytes:
    """Left a bar for each row with its interval, right what it gains over the base.

    A gain that the counts allow to be called one is filled, another is hollow. `seeds` says that names end in a number
    of seeds.
    """
    names = [wrapped(bar.name) for bar in bars]
    lines = sum(max(2, name.count("\n") + 1.5) for name in names)
    figure = Figure(figsize=(11, 1.3 + 0.18 * lines), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=[1.1, 1])
    _bars(left, [bar.share for bar in bars], colours=[COLOURS[5] if bar.gain else COLOURS[0] for bar in bars])
    left.set_yticks(range(len(bars)), names, fontsize=9)
    left.set_xlabel(f"{wrapped(label)}\n%, 95 % interval{', seeds in brackets' * seeds}")
    _gains(right, bars)
    left.set_ylim(len(bars) - 0.4, -0.6)
    return png(figure)


def _bars(axes: Axes, found: Sequence[Interval], *, colours: Sequence[str]) -> None:
    values, lows, highs = (100 * np.array([getattr(f, key) for f in found]) for key in ("value", "low", "high"))
    places = np.arange(len(found))
    axes.barh(places, values, color=colours, height=0.62)
    axes.errorbar(values, places, xerr=[values - lows, highs - values], fmt="none", ecolor="black", capsize=3, lw=1.2)
    for place, value in enumerate(values):  # beside the bars, where no interval can lie
        axes.text(102, place, f"{value:.1f}", va="center", fontsize=9)
    axes.set_xlim(0, 100)
    axes.spines[["top", "right"]].set_visible(False)


def _gains(axes: Axes, bars: Sequence[Bar]) -> None:
    axes.axvline(0, color=COLOURS[0], lw=1, ls="--")
    for place, bar in enumerate(bars):
        if bar.gain is not None:
            axes.plot([100 * bar.gain.low, 100 * bar.gain.high], [place, place], color="black", lw=1.4)
            face = "white" if bar.p >= ALPHA else COLOURS[2] if bar.gain.value > 0 else COLOURS[1]
            axes.plot(100 * bar.gain.value, place, "o", ms=7, mfc=face, mec="black")
    low, high = axes.get_xlim()
    axes.set_xlim(min(low, -1), max(high, 1))  # points: what is smaller is nothing
    axes.set_xlabel("gain over the base, points, 95 % interval\nfilled: p < 0.05 after Holm")
    axes.tick_params(left=False)
    axes.spines[["top", "right", "left"]].set_visible(False)


def wrapped(name: str) -> str:
    """In lines, no sign of it mathematics; a very long name without its middle, for arms mostly differ in their end."""
    half = _LONGEST_NAME // 2
    short = name if len(name) <= _LONGEST_NAME else f"{name[: half - 1]}…{name[-half:]}"
    return "\n".join(textwrap.wrap(short.replace("$", r"\$"), _WIDTH, break_on_hyphens=False))


def curves(study: Study) -> bytes | None:
    """Learning rate and loss over optimizer steps, a line for each arm (the mean of its seeds); None without logs."""
    logs = {arm.name: [read_curves(trial.folder) for trial in arm.trials] for arm in study.arms}
    if not any(found for runs in logs.values() for found in runs):
        return None
    rates, losses = ({name: _mean_curve(runs, key) for name, runs in logs.items()} for key in ("lr", "loss"))
    figure = _panels(2)
    for axes, lines, label in zip(figure.axes, (rates, losses), ("learning rate", "training loss"), strict=True):
        _draw(axes, lines)
        axes.set_xlabel("optimizer step")
        axes.set_ylabel(label)
    heights = np.concatenate([height for _, height in losses.values()])
    if len(heights) and 0 < _WIDE * heights.min() < heights.max():
        figure.axes[1].set_yscale("log")
    return png(_fitted(figure))


def _mean_curve(runs: Sequence[Mapping[str, Curve]], key: str) -> Curve:
    """The mean of several runs at the steps that all of them have; empty where none has any."""
    found = [run[key] for run in runs if key in run]
    if not found:
        return np.array([]), np.array([])
    steps = reduce(np.intersect1d, (steps for steps, _ in found))
    return steps, np.mean([_smooth(values, key)[np.isin(at, steps)] for at, values in found], axis=0)


def profiles(study: Study) -> bytes | None:
    """Dropout over the depth of each stack of blocks, a line for each profile; None where no arm has any."""
    found = {arm.name: _dropout_of(arm.trials[0].folder) for arm in study.arms}
    stacks = sorted({stack for profile in found.values() for stack in profile})
    if not any(p for profile in found.values() for stack in profile.values() for _, p in stack):
        return None
    figure = _panels(len(stacks))
    for axes, stack in zip(figure.axes, stacks, strict=True):
        lines = {name: _points(profile.get(stack, ())) for name, profile in found.items()}
        _draw(axes, lines)
        axes.set_title(stack, fontsize=10)
        axes.set_xlabel("block, from the input on")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.set_ylabel("dropout probability")
        axes.set_ylim(bottom=0, top=1.1 * max(values.max() for _, values in lines.values() if len(values)) or 1)
    return png(_fitted(figure))


def _points(pairs: Sequence[Sequence[float]]) -> Curve:
    blocks, values = np.array(pairs, dtype=float).reshape(-1, 2).T
    return blocks, values


def _panels(count: int) -> Figure:
    """Panels side by side."""
    figure = Figure(figsize=(5.5 * count, 4), layout="constrained")
    figure.subplots(1, count, squeeze=False)
    return figure


def _fitted(figure: Figure) -> Figure:
    """With room for the legends below the panels, which stay as large as they are."""
    legends = [[text.get_text() for text in each.get_texts()] for axes in figure.axes if (each := axes.get_legend())]
    lines = [sum(text.count("\n") + 1.4 for text in texts) / _columns(len(texts)) for texts in legends]
    figure.set_figheight(3.8 + 0.15 * max(lines, default=0))
    return figure


def _columns(entries: int) -> int:
    return 1 if entries <= _ONE_COLUMN else 2


def _draw(axes: Axes, lines: Mapping[str, Curve]) -> None:
    """A line for each arm by name, those that are alike drawn once; arms have the same looks in all panels."""
    looks = dict(zip(lines, cycle(LOOKS), strict=False))
    alike: dict[tuple[bytes, bytes], list[str]] = {}
    for name, (x, y) in lines.items():
        if len(x):
            alike.setdefault((x.tobytes(), y.tobytes()), []).append(name)
    for names, label in zip(alike.values(), _labels(list(alike.values())), strict=True):
        (x, y), (colour, line) = lines[names[0]], looks[names[0]]
        mark = "." if len(x) <= _FEW else None
        axes.plot(x, y, color=colour, ls=line, lw=1.4, marker=mark, label=label)
    if alike:
        below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.16)}
        axes.legend(**below, fontsize=8, frameon=False, ncols=_columns(len(alike)))
    axes.spines[["top", "right"]].set_visible(False)


def _labels(groups: Sequence[Sequence[str]]) -> list[str]:
    """What a legend says of arms that are alike: their common words where these tell the groups apart."""
    common = [", ".join(word for word in g[0].split(", ") if all(word in n.split(", ") for n in g)) for g in groups]
    if not all(common) or len(set(common)) < len(common):
        common = [g[0] + (f" and {len(g) - 1} more" if len(g) > 1 else "") for g in groups]
    return [wrapped(text) for text in common]


def read_curves(folder: Path) -> dict[str, Curve]:
    """lr and loss of a run's TensorBoard log, as (steps, values); what it did not log is left out.

    Of a run that was stopped and went on, the later value of a step counts.
    """
    if not (folder / "tensorboard").is_dir():
        return {}
    events = EventAccumulator(str(folder / "tensorboard"), size_guidance={"scalars": 0})
    events.Reload()
    found = {}
    for key, prefix in (("lr", "lr-"), ("loss", "train/loss")):
        tags = sorted(tag for tag in events.Tags()["scalars"] if tag.startswith(prefix))
        if tags:
            last = {event.step: event.value for event in events.Scalars(tags[0])}
            steps = np.array(sorted(last))
            found[key] = (steps, np.array([last[step] for step in steps]))
    return found


def _dropout_of(folder: Path) -> Profile:
    """As the run noted it at its end."""
    path = folder / "trained.json"
    noted: Profile = json.loads(path.read_text()).get("dropout", {}) if path.is_file() else {}
    return noted


def _smooth(values: np.ndarray, key: str) -> np.ndarray:
    width = max(1, round(SMOOTHED * len(values))) if key == "loss" else 1
    padded = np.concatenate([np.full(width - 1, values[0]), values])
    return np.convolve(padded, np.full(width, 1 / width), mode="valid")


def png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(buffer, format="png", dpi=DPI)
    return buffer.getvalue()
