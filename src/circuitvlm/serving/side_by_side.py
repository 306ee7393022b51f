"""What did the model misread? The image that was asked about, and beside it the circuit that was understood."""

from __future__ import annotations

import io

from PIL import Image, ImageDraw, ImageFont

from circuitvlm.circuit import draw
from circuitvlm.circuit.graph import Circuit

HEIGHT, WIDTH, TITLE, EDGE = 480, 640, 36, 12
"""Of one panel, its title and its margins, in pixels."""

STYLE = "american"
INK, PAPER, FRAME = (0, 0, 0), (255, 255, 255), (160, 160, 160)


def side_by_side(image: Image.Image, circuit: Circuit | None, *, why: str = "") -> bytes:
    """A PNG: the image on the left, the circuit drawn anew on the right, or `why` there is none.

    Raises ValueError for a circuit that cannot be drawn.
    """
    size = (2 * WIDTH + 3 * EDGE, TITLE + HEIGHT + EDGE)
    page = Image.new("RGB", size, PAPER)
    pen = ImageDraw.Draw(page)
    font = ImageFont.load_default(size=20)
    for index, title in enumerate(("the image", "what was understood, drawn anew")):
        left = EDGE + index * (WIDTH + EDGE)
        pen.text((left, 6), title, fill=INK, font=font)
        pen.rectangle((left - 1, TITLE - 1, left + WIDTH, TITLE + HEIGHT), outline=FRAME)
    _put(page, image, left=EDGE)
    if circuit is not None:
        drawn = draw.image(circuit, style=STYLE)
        _put(page, Image.open(io.BytesIO(drawn)).convert("RGB"), left=2 * EDGE + WIDTH)
    else:
        pen.multiline_text((3 * EDGE + WIDTH, TITLE + EDGE), _folded(why), fill=INK, font=font)
    buffer = io.BytesIO()
    page.save(buffer, format="PNG")
    return buffer.getvalue()


def _put(page: Image.Image, image: Image.Image, *, left: int) -> None:
    """The image as large as its panel lets it be, in the middle."""
    scale = min(WIDTH / image.width, HEIGHT / image.height)
    shown = image.resize(
        (max(1, round(image.width * scale)), max(1, round(image.height * scale))), Image.Resampling.LANCZOS
    )
    page.paste(shown, (left + (WIDTH - shown.width) // 2, TITLE + (HEIGHT - shown.height) // 2))


def _folded(text: str, *, width: int = 56) -> str:
    return "\n".join(text[i : i + width] for i in range(0, min(len(text), 10 * width), width))
