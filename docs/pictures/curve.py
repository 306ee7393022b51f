"""Plot training loss and validation metrics of several runs, one after the other.

python docs/pictures/curve.py runs/tiny_{words,pairs,base}/plain-44136fa3 --out experiments/tiny_base.png
"""

from __future__ import annotations

import argparse
from pathlib import Path

from matplotlib.figure import Figure
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from circuitvlm.runtime.folders.run_folder import read_config

METRICS = {"validate/netlist/topology": "topology", "validate/netlist/values": "values"}
"""TensorBoard tags and their names in the plot."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+", help="folders of runs that logged to TensorBoard")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    plot_runs(arguments.runs).savefig(arguments.out)


def plot_runs(runs: list[Path]) -> Figure:
    """The training loss on the left and the validation metrics on the right, over the samples of all runs in turn."""
    figure = Figure(figsize=(10, 3.2), dpi=110, layout="constrained")
    loss_axes, metric_axes = figure.subplots(1, 2, sharex=True)
    offset = 0
    for run in runs:
        cfg = read_config(run)
        curves = read_scalars(run)
        losses = curves["train/loss"]
        samples = [(offset + step * cfg.global_batch_size) / 1000 for step in losses]
        loss_axes.plot(samples, list(losses.values()), label=cfg.name)
        for number, (tag, name) in enumerate(METRICS.items()):
            points = curves.get(tag, {})
            samples = [(offset + step * cfg.global_batch_size) / 1000 for step in points]
            label = name if run == runs[0] else None
            metric_axes.plot(samples, list(points.values()), marker="o", markersize=3, color=f"C{number}", label=label)
        offset += max(losses) * cfg.global_batch_size
        for axes in (loss_axes, metric_axes):
            axes.axvline(offset / 1000, color="0.8", linewidth=0.8, zorder=0)
    loss_axes.set(yscale="log", xlabel="thousands of samples", ylabel="training loss, nats per token")
    metric_axes.set(ylim=(0, 1.02), xlabel="thousands of samples", ylabel="exact in validation (128 items)")
    for axes in (loss_axes, metric_axes):
        axes.legend(frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def read_scalars(run: Path) -> dict[str, dict[int, float]]:
    """Tag -> step -> value of a run. Where a resumed run logged a step twice, the later value counts."""
    scalars: dict[str, dict[int, float]] = {}
    files = sorted((run / "tensorboard").rglob("events.out.tfevents.*"), key=lambda path: path.stat().st_mtime)
    for file in files:
        events = EventAccumulator(str(file), size_guidance={"scalars": 0})
        events.Reload()
        for tag in events.Tags()["scalars"]:
            scalars.setdefault(tag, {}).update({event.step: event.value for event in events.Scalars(tag)})
    if "train/loss" not in scalars:
        raise SystemExit(
            f"{run}: expected a train/loss logged to TensorBoard, got {sorted(scalars)}; train with logger=tensorboard"
        )
    return {tag: dict(sorted(points.items())) for tag, points in scalars.items()}


if __name__ == "__main__":
    main()
