"""Lay out the texts of a receipt row by row on a sheet, on which nothing overlaps or is cut off."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

import matplotlib
from PIL import Image, ImageDraw, ImageFont

MIN_X_HEIGHT = 5.0
"""The height of an x in pixels from which letters on a clean sheet can be told apart."""

MIN_GAP = 0.7
"""The smallest distance between two texts of a row, in font sizes."""


class SheetOverflowError(ValueError):
    """A text that does not fit on the sheet at this font size."""


@dataclass(frozen=True, slots=True)
class Face:
    """A font that comes with matplotlib; `x_height` is the height of an x in font sizes, used to bound the size.

    Some fonts have other letters in place of Unicode's beyond ASCII: the ¥ of cmtt10 is a Ξ.
    """

    regular: str
    bold: str
    x_height: float
    has_unicode: bool = True

    def can_print(self, text: str) -> bool:
        """Whether the font has the letters of the text."""
        return self.has_unicode or text.isascii()

    def smallest_size(self, x_height: float) -> int:
        """The smallest font size, in pixels, at which an x is `x_height` pixels high."""
        return -int(-x_height // self.x_height)


FACES: Mapping[str, Face] = {
    "mono": Face("DejaVuSansMono.ttf", "DejaVuSansMono-Bold.ttf", 0.547),
    "mono_bold": Face("DejaVuSansMono-Bold.ttf", "DejaVuSansMono-Bold.ttf", 0.547),
    # Its x is 0.43 high, but at sizes that this allows, its $ looks like an 8.
    "typewriter": Face("cmtt10.ttf", "cmtt10.ttf", 0.36, has_unicode=False),
    "sans": Face("DejaVuSans.ttf", "DejaVuSans-Bold.ttf", 0.547),
    "serif": Face("DejaVuSerif.ttf", "DejaVuSerif-Bold.ttf", 0.519),
    "times": Face("STIXGeneral.ttf", "STIXGeneralBol.ttf", 0.45),
}


@cache
def _font(file: str, size: int) -> ImageFont.FreeTypeFont:
    path = Path(matplotlib.get_data_path(), "fonts", "ttf", file)
    return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)  # the same with and without raqm


@cache
def _text_width(text: str, file: str, size: int) -> float:
    return _font(file, size).getlength(text)


@dataclass(frozen=True, slots=True)
class Cell:
    """A text of a row that starts at `x` pixels, ends there ("r") or has its middle there ("c").

    A text wider than `max_width` continues in the lines below, broken at spaces.
    """

    text: str
    x: float = 0.0
    align: Literal["l", "r", "c"] = "l"
    max_width: float | None = None


@dataclass(frozen=True, slots=True)
class PlacedText:
    """A text with its font file and size; x, y are the left end and the top of its line, in pixels."""

    text: str
    x: int
    y: int
    file: str
    size: int


@dataclass(slots=True)
class Sheet:
    """A column of text `width` pixels wide, at most `height` high, filled down to `y`.

    `size` is the font size in pixels, `line_height` the height of a line in font sizes. `rules` are rectangles of
    ink: left, top, right, bottom.
    """

    width: int
    height: int
    face: Face
    size: int
    line_height: float
    y: int = 0
    texts: list[PlacedText] = field(default_factory=list)
    rules: list[tuple[int, int, int, int]] = field(default_factory=list)

    @property
    def gap(self) -> float:
        """The smallest distance between two texts of a row, in pixels."""
        return MIN_GAP * self.size

    def text_width(self, text: str, *, bold: bool = False, scale: float = 1.0) -> float:
        """The width of a text in pixels."""
        return _text_width(text, *self._font_of(bold=bold, scale=scale))

    def column_width(self, rows: Iterable[Mapping[str, object]], key: str) -> float:
        """The greatest width of a field's texts in pixels; 0 if no row has it."""
        return max((self.text_width(text) for row in rows if isinstance(text := row.get(key), str)), default=0.0)

    def add_row(self, *cells: Cell, bold: bool = False, scale: float = 1.0) -> None:
        """Add texts side by side. Raises SheetOverflowError if they do not fit."""
        cell_lines = [list(self._wrap(cell, bold=bold, scale=scale)) for cell in cells]
        for k in range(max(map(len, cell_lines), default=0)):
            self._add_line(
                [(lines[k], cell) for lines, cell in zip(cell_lines, cells, strict=True) if k < len(lines)],
                bold=bold,
                scale=scale,
            )

    def _font_of(self, *, bold: bool, scale: float) -> tuple[str, int]:
        """The font file and size of a text."""
        return self.face.bold if bold else self.face.regular, round(self.size * scale)

    def _wrap(self, cell: Cell, *, bold: bool, scale: float) -> Iterator[str]:
        """The lines of a cell."""
        if cell.max_width is None:
            yield cell.text
            return
        line = ""
        for word in cell.text.split(" "):
            longer_line = f"{line} {word}" if line else word
            if line and self.text_width(longer_line, bold=bold, scale=scale) > cell.max_width:
                yield line
                longer_line = word
            line = longer_line
        yield line

    def _add_line(self, texts: Sequence[tuple[str, Cell]], *, bold: bool, scale: float) -> None:
        file, size = self._font_of(bold=bold, scale=scale)
        spans = []
        for text, cell in texts:
            width = _text_width(text, file, size)
            start = cell.x - {"l": 0.0, "r": width, "c": width / 2}[cell.align]
            spans.append((start, start + width, text))
        min_start = -1.0
        for start, end, text in sorted(spans):
            if start < min_start or end > self.width + 1:
                raise SheetOverflowError(
                    f"receipt: expected {text!r} between {min_start:g} and {self.width} pixels, "
                    f"got {start:g} to {end:g}"
                )
            min_start = end + self.gap
            self.texts.append(PlacedText(text, round(start), self.y, file, size))
        self.add_space(self.line_height * scale)

    def add_dots(self, count: int, *, x: float, y: int) -> None:
        """Add so many dots to a row that is there already."""
        self.texts.append(PlacedText("." * count, round(x), y, self.face.regular, self.size))

    def add_rule(self, character: str) -> None:
        """Add a horizontal line: of a character such as - = * ., or drawn for |; nothing for an empty text."""
        if character == "|":
            thickness = max(1, self.size // 12)
            middle = self.y + self.size // 2
            self.rules.append((0, middle, self.width, middle + thickness))
            self.add_space(self.line_height * 0.8)
        elif character:
            self.add_row(Cell(character * int(self.width / self.text_width(character))))

    def add_space(self, font_sizes: float) -> None:
        """Move down by so many font sizes. Raises SheetOverflowError below the sheet's end."""
        self.y += round(font_sizes * self.size)
        if self.y > self.height:
            raise SheetOverflowError(f"receipt: expected at most {self.height} pixels of height, got {self.y}")

    def render(self, *, margin: int) -> Image.Image:
        """The sheet in grey, ink 0 on paper 255, with a margin of so many pixels."""
        paper = Image.new("L", (self.width + 2 * margin, self.y + 2 * margin), 255)
        pen = ImageDraw.Draw(paper)
        for x0, y0, x1, y1 in self.rules:
            pen.rectangle((x0 + margin, y0 + margin, x1 + margin - 1, y1 + margin - 1), fill=0)
        for text in self.texts:
            pen.text((text.x + margin, text.y + margin), text.text, font=_font(text.file, text.size), fill=0)
        return paper
