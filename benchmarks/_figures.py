"""Summarize measured times with their intervals, and format them as Markdown."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from circuitvlm.runtime.folders import provenance

RESAMPLES = 2000
"""Number of bootstrap samples for an interval."""

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("sympy", "numpy", "schemdraw", "resvg-py", "pillow", "math-verify", "lcapy")


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


def estimate(
    values: Sequence[float],
    *,
    groups: Sequence[int] | None = None,
    statistic: Callable[[npt.NDArray[np.float64]], float] = np.median,
) -> Estimate:
    """Return the statistic with a 95 % interval, the quantiles of a bootstrap over groups.

    The values of one group, such as those of one circuit, are resampled together.
    """
    samples = np.asarray(values, dtype=float)
    labels = np.arange(len(samples)) if groups is None else np.asarray(groups)
    parts = [samples[labels == label] for label in np.unique(labels)]
    rng = np.random.default_rng(0)
    resampled_statistics = [
        statistic(np.concatenate([parts[i] for i in rng.integers(len(parts), size=len(parts))]))
        for _ in range(RESAMPLES)
    ]
    low, high = np.quantile(resampled_statistics, [0.025, 0.975])
    return Estimate(float(statistic(samples)), float(low), float(high))


def seconds(value: float) -> str:
    return f"{value:.3g} s" if value >= 1 else f"{1e3 * value:.3g} ms"


def format_estimate(figure: Estimate, formatter: Callable[[float], str]) -> str:
    return f"{formatter(figure.value)} ({formatter(figure.low)} to {formatter(figure.high)})"


def times(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def environment_line() -> str:
    """Return a line with the processor, the commit and the versions of a measurement."""
    git = provenance.git_state(ROOT / "src" / "circuitvlm")
    commit = (git["commit"] or "unknown")[:12] + (" with changes" if git["dirty"] else "")
    versions = ", ".join(f"{name} {_version(name)}" for name in PACKAGES)
    return (
        f"Hardware: {_processor()}, {os.cpu_count()} cores. Commit: {commit}. "
        f"Versions: Python {platform.python_version()}, {versions}."
    )


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    """Return the processor's model. Linux states it in a file only, not through `platform`."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()
