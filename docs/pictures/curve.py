"""How did a training go? Loss and validation metrics of some runs, one after the other, as a picture.

python docs/pictures/curve.py runs/tiny_{words,pairs,base}/plain-44136fa3 --out experiments/tiny_base.png
"""

from __future__ import annotations

import argparse
from pathlib import Path

from matplotlib.figure import Figure
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from circuitvlm.runtime.folders.run_folder import read_config

SHARES = {"validate/netlist/topology": "topology", "validate/netlist/values": "values"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+", help="folders of runs that logged to TensorBoard")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    figure(arguments.runs).savefig(arguments.out)


def figure(runs: list[Path]) -> Figure:
    """Left the training loss, right what validation by generation gave, both over samples of all runs in turn."""
    page = Figure(figsize=(10, 3.2), dpi=110, layout="constrained")
    left, right = page.subplots(1, 2, sharex=True)
    before = 0
    for run in runs:
        cfg = read_config(run)
        curves = scalars(run)
        loss = curves["train/loss"]
        left.plot([(before + step * cfg.global_batch) / 1000 for step in loss], list(loss.values()), label=cfg.name)
        for number, (tag, name) in enumerate(SHARES.items()):
            points = curves.get(tag, {})
            samples = [(before + step * cfg.global_batch) / 1000 for step in points]
            label = name if run == runs[0] else None
            right.plot(samples, list(points.values()), marker="o", markersize=3, color=f"C{number}", label=label)
        before += max(loss) * cfg.global_batch
        for panel in (left, right):
            panel.axvline(before / 1000, color="0.8", linewidth=0.8, zorder=0)
    left.set(yscale="log", xlabel="thousands of samples", ylabel="training loss, nats a token")
    right.set(ylim=(0, 1.02), xlabel="thousands of samples", ylabel="exact in validation (128 items)")
    for panel in (left, right):
        panel.legend(frameon=False)
        panel.spines[["top", "right"]].set_visible(False)
    return page


def scalars(run: Path) -> dict[str, dict[int, float]]:
    """Tag -> step -> value; where a run was resumed, what it logged last."""
    found: dict[str, dict[int, float]] = {}
    files = sorted((run / "tensorboard").rglob("events.out.tfevents.*"), key=lambda path: path.stat().st_mtime)
    for file in files:
        events = EventAccumulator(str(file), size_guidance={"scalars": 0})
        events.Reload()
        for tag in events.Tags()["scalars"]:
            found.setdefault(tag, {}).update({event.step: event.value for event in events.Scalars(tag)})
    if "train/loss" not in found:
        raise SystemExit(f"{run} logged no training loss to TensorBoard")
    return {tag: dict(sorted(points.items())) for tag, points in found.items()}


if __name__ == "__main__":
    main()
