"""Where does each text of a receipt stand? A sheet filled row by row, on which nothing overlaps or is cut off."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

import matplotlib
from PIL import Image, ImageDraw, ImageFont

LEGIBLE = 5.0
"""The least height of an x, in pixels, at which letters can still be told apart on a clean sheet."""

GAP = 0.7
"""The least room between two texts of a row, in font sizes."""


class TightError(ValueError):
    """Something does not fit on the sheet at this size."""


@dataclass(frozen=True, slots=True)
class Face:
    """A font of those that come with matplotlib; `x_height` is a share of its size, and states how small it may be.

    Beyond ASCII, some have other letters where Unicode has ours: the ¥ of cmtt10 is a Ξ.
    """

    regular: str
    bold: str
    x_height: float
    beyond_ascii: bool = True

    def prints(self, text: str) -> bool:
        """Whether its letters are those of the text."""
        return self.beyond_ascii or text.isascii()

    def least(self, legible: float) -> int:
        """The smallest size, in pixels, at which an x is so many pixels high."""
        return -int(-legible // self.x_height)


FACES: Mapping[str, Face] = {
    "mono": Face("DejaVuSansMono.ttf", "DejaVuSansMono-Bold.ttf", 0.547),
    "mono_bold": Face("DejaVuSansMono-Bold.ttf", "DejaVuSansMono-Bold.ttf", 0.547),
    # Its x is in truth 0.43 high; its $ closes to an 8 before.
    "typewriter": Face("cmtt10.ttf", "cmtt10.ttf", 0.36, beyond_ascii=False),
    "sans": Face("DejaVuSans.ttf", "DejaVuSans-Bold.ttf", 0.547),
    "serif": Face("DejaVuSerif.ttf", "DejaVuSerif-Bold.ttf", 0.519),
    "times": Face("STIXGeneral.ttf", "STIXGeneralBol.ttf", 0.45),
}


@cache
def _font(file: str, size: int) -> ImageFont.FreeTypeFont:
    path = Path(matplotlib.get_data_path(), "fonts", "ttf", file)
    return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)  # alike with and without raqm


@cache
def _width(text: str, file: str, size: int) -> float:
    return _font(file, size).getlength(text)


@dataclass(frozen=True, slots=True)
class Cell:
    """A text that stands at `x` pixels of the row, or ends ("r") or has its middle ("c") there.

    Where `room` is stated, what is wider goes on in the lines below, broken at spaces.
    """

    text: str
    x: float = 0.0
    align: Literal["l", "r", "c"] = "l"
    room: float | None = None


@dataclass(frozen=True, slots=True)
class Ink:
    """A text as it will be printed, at the left end and the top of its line, in pixels."""

    text: str
    x: int
    y: int
    file: str
    size: int


@dataclass(slots=True)
class Sheet:
    """A column of text `width` pixels wide, at most `height` high; `y` is how far it is filled."""

    width: int
    height: int
    face: Face
    size: int
    leading: float
    y: int = 0
    ink: list[Ink] = field(default_factory=list)
    bars: list[tuple[int, int, int, int]] = field(default_factory=list)

    @property
    def gap(self) -> float:
        """The least room between two texts of a row."""
        return GAP * self.size

    def wide(self, text: str, *, bold: bool = False, scale: float = 1.0) -> float:
        """The width of a text in pixels."""
        return _width(text, self.face.bold if bold else self.face.regular, round(self.size * scale))

    def widest(self, rows: Iterable[Mapping[str, object]], key: str) -> float:
        """The greatest width of a field's texts; 0 where no row has it."""
        return max((self.wide(text) for row in rows if isinstance(text := row.get(key), str)), default=0.0)

    def row(self, *cells: Cell, bold: bool = False, scale: float = 1.0) -> None:
        """Texts beside each other. Raises TightError where they do not fit."""
        broken = [list(self._lines(cell, bold=bold, scale=scale)) for cell in cells]
        for k in range(max(map(len, broken), default=0)):
            parts = [(lines[k], cell) for lines, cell in zip(broken, cells, strict=True) if k < len(lines)]
            self._line(parts, bold=bold, scale=scale)

    def _lines(self, cell: Cell, *, bold: bool, scale: float) -> Iterator[str]:
        line = ""
        for word in cell.text.split(" ") if cell.room is not None else [cell.text]:
            longer = f"{line} {word}" if line else word
            if line and cell.room is not None and self.wide(longer, bold=bold, scale=scale) > cell.room:
                yield line
                longer = word
            line = longer
        yield line

    def _line(self, parts: Sequence[tuple[str, Cell]], *, bold: bool, scale: float) -> None:
        file, size = self.face.bold if bold else self.face.regular, round(self.size * scale)
        placed = []
        for text, cell in parts:
            wide = _width(text, file, size)
            left = cell.x - {"l": 0.0, "r": wide, "c": wide / 2}[cell.align]
            placed.append((left, left + wide, text))
        placed.sort()
        free = -1.0
        for left, right, text in placed:
            if left < free or right > self.width + 1:
                raise TightError(f"no room for {text!r}")
            free = right + self.gap
            self.ink.append(Ink(text, round(left), self.y, file, size))
        self.space(self.leading * scale)

    def dots(self, count: int, *, x: float, y: int) -> None:
        """So many dots in a row that is there already."""
        self.ink.append(Ink("." * count, round(x), y, self.face.regular, self.size))

    def rule(self, sign: str) -> None:
        """A line across: of a character such as - = * ., or of ink for |; nothing for none."""
        if sign == "|":
            thick = max(1, self.size // 12)
            middle = self.y + self.size // 2
            self.bars.append((0, middle, self.width, middle + thick))
            self.space(self.leading * 0.8)
        elif sign:
            self.row(Cell(sign * int(self.width / self.wide(sign))))

    def space(self, lines: float) -> None:
        """Goes on further below. Raises TightError at the sheet's end."""
        self.y += round(lines * self.size)
        if self.y > self.height:
            raise TightError("the sheet is full")

    def printed(self, *, margin: int) -> Image.Image:
        """The sheet in grey, ink 0 on paper 255, with a margin around it."""
        paper = Image.new("L", (self.width + 2 * margin, self.y + 2 * margin), 255)
        pen = ImageDraw.Draw(paper)
        for left, top, right, bottom in self.bars:
            pen.rectangle((left + margin, top + margin, right + margin - 1, bottom + margin - 1), fill=0)
        for one in self.ink:
            pen.text((one.x + margin, one.y + margin), one.text, font=_font(one.file, one.size), fill=0)
        return paper
