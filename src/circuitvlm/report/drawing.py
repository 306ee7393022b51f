"""Draw figures without a display: colours, names in labels, and PNG.

The colours are those of Okabe and Ito, which people with colour blindness distinguish (jfly.uni-koeln.de/color).
"""

from __future__ import annotations

import io
import textwrap

from matplotlib.figure import Figure

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


def figure_text(text: str) -> str:
    """The text on one line of a figure; no `$` of it begins mathematics, and no `_` at its start hides it."""
    line = sanitize(" ".join(text.split())).replace("$", r"\$")
    return f"\N{NO-BREAK SPACE}{line}" if line.startswith("_") else line  # matplotlib leaves `_..` out of legends


def wrap_name(name: str) -> str:
    """A name in a figure, in lines of at most 44 characters."""
    return "\n".join(textwrap.wrap(figure_text(shorten(name, _MAX_NAME)), _MAX_LINE, break_on_hyphens=False))


def png(figure: Figure) -> bytes:
    """The figure as PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI)
    return buffer.getvalue()
