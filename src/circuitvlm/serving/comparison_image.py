"""Draw an image beside the circuit that a model read in it."""

from __future__ import annotations

import io
import textwrap

from PIL import Image, ImageDraw, ImageFont, ImageOps

from circuitvlm.circuit import draw
from circuitvlm.circuit.graph import Circuit

HEIGHT, WIDTH, TITLE, MARGIN = 480, 640, 36, 12
"""Pixels of one panel, of its title's height and of its margins."""


def comparison_image(image: Image.Image, circuit: Circuit | None, *, message: str = "") -> bytes:
    """A PNG: the image on the left, and on the right a drawing of the circuit, or the message where there is none.

    Raises ValueError for a circuit that cannot be drawn.
    """
    page = Image.new("RGB", (2 * WIDTH + 3 * MARGIN, TITLE + HEIGHT + MARGIN), "white")
    pen = ImageDraw.Draw(page)
    font = ImageFont.load_default(size=20)
    panel_x = (MARGIN, 2 * MARGIN + WIDTH)
    for x, title in zip(panel_x, ("image", "circuit that the model read, redrawn"), strict=True):
        pen.text((x, 6), title, fill="black", font=font)
        pen.rectangle((x - 1, TITLE - 1, x + WIDTH, TITLE + HEIGHT), outline="#a0a0a0")
    _paste(page, image, x=panel_x[0])
    if circuit is not None:
        drawing = Image.open(io.BytesIO(draw.image(circuit, style="american"))).convert("RGB")
        _paste(page, drawing, x=panel_x[1])
    else:
        lines = textwrap.wrap(message, width=56, max_lines=10)
        pen.multiline_text((panel_x[1] + MARGIN, TITLE + MARGIN), "\n".join(lines), fill="black", font=font)
    buffer = io.BytesIO()
    page.save(buffer, format="PNG")
    return buffer.getvalue()


def _paste(page: Image.Image, image: Image.Image, *, x: int) -> None:
    """Paste the image into the middle of its panel, as large as fits."""
    panel = ImageOps.pad(image, (WIDTH, HEIGHT), method=Image.Resampling.LANCZOS, color="white")
    page.paste(panel, (x, TITLE))
