"""Make the first picture of the README: a drawing, the netlist that a model read from it, redrawn, and solved.

    python docs/pictures/make.py runs/tiny_circuits/plain-44136fa3

It shows the first item of the unseen style that the run read exactly. The README's table says how often that happens.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image

from circuitvlm.circuit import draw
from circuitvlm.circuit.netlist import parse
from circuitvlm.circuit.solve.numeric import solve
from circuitvlm.report.grade import Grades, Item
from circuitvlm.training.assemble import trained_run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="the folder of a finished training run")
    parser.add_argument("--split", default="test_style")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("first_screen.png"))
    arguments = parser.parse_args()
    grades = Grades.load(arguments.run / "replies" / arguments.split / "scores.json")
    item = next((i for i in grades.items if i.scores["values"] == 1 and i.wanted.count("\n") >= 3), grades.items[0])
    questions = trained_run(arguments.run, changes={}).data.questions(arguments.split)
    drawing = next(question for question in questions if question.id == item.id).images[0].open()
    plot_item(drawing, item).savefig(arguments.out)


def plot_item(drawing: Image.Image, item: Item) -> Figure:
    """Four panels: the drawing, the netlist in the reply, its drawing, and its voltages by an exact solver."""
    circuit = parse(item.reply)
    netlist_drawing = Image.open(io.BytesIO(draw.image(circuit, style="american", width=224, height=168)))
    solution = solve(circuit)
    voltages = "\n".join(f"v({n}) = {solution.voltage(n):.4g} V" for n in circuit.nodes if n != "0")
    figure = Figure(figsize=(11, 3), dpi=110, layout="constrained")
    panels = figure.subplots(1, 4, width_ratios=[4, 2.4, 4, 2.4])
    titles = ("drawing, in a style new to the model", "netlist it read", "redrawn from the netlist", "solved exactly")
    for panel, title, content in zip(panels, titles, (drawing, item.reply, netlist_drawing, voltages), strict=True):
        panel.set_title(title, fontsize=10)
        panel.set_axis_off()
        if isinstance(content, str):
            panel.text(0.05, 0.9, content, va="top", family="monospace", fontsize=12, transform=panel.transAxes)
        else:
            panel.imshow(content, cmap="gray")
    return figure


if __name__ == "__main__":
    main()
