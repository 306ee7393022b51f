"""Draw figures without a display: colours, names in labels, and PNG.

The colours are those of Okabe and Ito, which people with colour blindness distinguish (jfly.uni-koeln.de/color).
"""

from __future__ import annotations

import io
import textwrap

from matplotlib.figure import Figure
from matplotlib.text import Text

from circuitvlm.runtime.terminal import sanitize

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's without their yellow, in which a line is hardly visible on white."""

LINES = ("-", "--", "-.", ":")
DPI = 160

_MAX_LINE, _MAX_NAME = 44, 120  # characters


def shorten(text: str, length: int) -> str:
    """The text without its middle where it is longer than `length`, since names of arms mostly differ at their end."""
    half = length // 2
    return text if len(text) <= length else f"{text[: half - 1]}…{text[-half:]}"


def wrap_name(name: str) -> str:
    """A name in lines of at most 44 characters, of those that can be shown."""
    return "\n".join(textwrap.wrap(sanitize(shorten(name, _MAX_NAME)), _MAX_LINE, break_on_hyphens=False))


def png(figure: Figure) -> bytes:
    """The figure as PNG; no `$` of a name begins mathematics."""
    for text in figure.findobj(Text):
        assert isinstance(text, Text), "findobj() finds objects of this class"
        text.set_parse_math(False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI)
    return buffer.getvalue()
