"""How are measured times summed up and written down?"""

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

TURNS = 2000
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
    """The statistic with the quantiles of a bootstrap over groups: what comes from one circuit is drawn together."""
    measured = np.asarray(values, dtype=float)
    labels = np.arange(len(measured)) if groups is None else np.asarray(groups)
    parts = [measured[labels == label] for label in np.unique(labels)]
    rng = np.random.default_rng(0)
    drawn = [
        statistic(np.concatenate([parts[i] for i in rng.integers(len(parts), size=len(parts))])) for _ in range(TURNS)
    ]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Estimate(float(statistic(measured)), float(low), float(high))


def seconds(value: float) -> str:
    return f"{value:.3g} s" if value >= 1 else f"{1e3 * value:.3g} ms"


def within(found: Estimate, show: Callable[[float], str]) -> str:
    return f"{show(found.value)} ({show(found.low)} to {show(found.high)})"


def times(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def ground() -> str:
    """On what it was measured: processor, commit, versions."""
    git = provenance.git(ROOT / "src" / "circuitvlm")
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
    """Linux tells the model in a file only."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()
