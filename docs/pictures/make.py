"""What does the README show first? A drawing, the netlist that the model read from it, redrawn, and solved.

    python docs/pictures/make.py runs/tiny_circuits/plain-44136fa3

It takes the first item of the unseen style that the run read exactly; the table beside it says how often that is so.
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
    parser.add_argument("run", type=Path, help="the folder of a finished main job")
    parser.add_argument("--split", default="test_style")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("first_screen.png"))
    arguments = parser.parse_args()
    grades = Grades.load(arguments.run / "replies" / arguments.split / "scores.json")
    item = next((i for i in grades.items if i.scores["values"] == 1 and i.wanted.count("\n") >= 3), grades.items[0])
    questions = trained_run(arguments.run, changes={}).data.questions(arguments.split)
    seen = next(question for question in questions if question.id == item.id).images[0].open()
    figure(seen, item).savefig(arguments.out)


def figure(seen: Image.Image, item: Item) -> Figure:
    """Three panels: what the model saw, what it said, and what an exact solver makes of that."""
    circuit = parse(item.reply)
    redrawn = Image.open(io.BytesIO(draw.image(circuit, style="american", width=224, height=168)))
    solution = solve(circuit)
    volts = "\n".join(f"v({n}) = {solution.voltage(n):.4g} V" for n in circuit.nodes if n != "0")
    page = Figure(figsize=(11, 3), dpi=110, layout="constrained")
    panels = page.subplots(1, 4, width_ratios=[4, 2.4, 4, 2.4])
    titles = ("drawing, in a style new to the model", "netlist it read", "redrawn from the netlist", "solved exactly")
    for panel, title, shown in zip(panels, titles, (seen, item.reply, redrawn, volts), strict=True):
        panel.set_title(title, fontsize=10)
        panel.set_axis_off()
        if isinstance(shown, str):
            panel.text(0.05, 0.9, shown, va="top", family="monospace", fontsize=12, transform=panel.transAxes)
        else:
            panel.imshow(shown, cmap="gray")
    return page


if __name__ == "__main__":
    main()
