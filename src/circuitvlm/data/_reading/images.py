"""Can this image be used? Raster files are checked by their header; SVG drawings become PNG once, in a cache."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import resvg_py
from PIL import Image, UnidentifiedImageError

from circuitvlm.data._reading.files import UnusableError

MAX_IMAGE_BYTES = 20_000_000
MAX_PIXELS = 80_000_000
RASTER, VECTOR = (".png", ".jpg", ".jpeg"), ".svg"
_FORMATS = ("PNG", "JPEG")

_VERSION = 1
"""Raise this whenever the same SVG would become other pixels: old files of the cache are then left alone."""

_SIDES = (16, 1536)
"""Least and greatest side, in pixels, of a drawing made from SVG."""

_MAX_ELEMENTS, _MAX_DEPTH = 200_000, 200
_FOREIGN = ("script", "foreignObject", "handler", "listener")
_NUMBER = re.compile(r"\s*([0-9]{1,9}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})\s*(?:px|pt|mm|cm|in|pc|em)?\s*")
_FONTS = str(Path(matplotlib.get_data_path()) / "fonts" / "ttf")


def usable(path: Path, *, cache: Path) -> Path:
    """The file to open for an image: itself, or the PNG made of it. Raises UnusableError with the reason."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise UnusableError("no image") from error
    if size > MAX_IMAGE_BYTES:
        raise UnusableError("image file too large")
    if path.suffix.lower() == VECTOR:
        return _drawn(path, cache=cache)
    try:
        with Image.open(path) as image:
            width, height = image.size
            known = image.format in _FORMATS
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, SyntaxError, ValueError) as error:
        raise UnusableError("unreadable image") from error
    if not known or min(width, height) < 2:
        raise UnusableError("unreadable image")
    if width * height > MAX_PIXELS:
        raise UnusableError("image of too many pixels")
    return path


def digest(path: Path) -> str:
    """The sha256 of a file, in hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _drawn(path: Path, *, cache: Path) -> Path:
    """The PNG of an SVG file, made on first use."""
    raw = path.read_bytes()
    made = cache / "svg" / f"{hashlib.sha256(b'%d ' % _VERSION + raw).hexdigest()[:32]}.png"
    if not made.is_file():
        png = rasterised(raw)
        made.parent.mkdir(parents=True, exist_ok=True)
        temporary = made.with_name(f"{made.stem}.{os.getpid()}.tmp")
        temporary.write_bytes(png)
        os.replace(temporary, made)
    return made


def rasterised(raw: bytes) -> bytes:
    """A PNG of an SVG file on white paper, with the fonts that matplotlib ships, at most 1536 pixels a side.

    Scripts, HTML, and images that are not inside the file are taken out; entities, and drawings that unfold to more
    than 200,000 elements, are refused. Raises UnusableError.
    """
    if re.search(rb"<!ENTITY", raw, re.IGNORECASE):
        raise UnusableError("SVG with entities")
    try:
        tree = ElementTree.fromstring(raw)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise UnusableError("unreadable image") from error
    _strip(tree)
    if _unfolded(tree) > _MAX_ELEMENTS:
        raise UnusableError("SVG of too many elements")
    width, height = _size(tree)
    tree.set("width", str(width))
    tree.set("height", str(height))
    try:
        png: bytes = resvg_py.svg_to_bytes(
            svg_string=ElementTree.tostring(tree, encoding="unicode"),
            background="white",
            skip_system_fonts=True,
            font_dirs=[_FONTS],
            font_family="DejaVu Sans",
            serif_family="DejaVu Serif",
            sans_serif_family="DejaVu Sans",
            monospace_family="DejaVu Sans Mono",
        )
    except (ValueError, OSError) as error:
        raise UnusableError("unreadable image") from error
    return png


def _local(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _links(element: ElementTree.Element) -> Iterator[str]:
    return (key for key in element.attrib if key.rpartition("}")[2] == "href")


def _strip(tree: ElementTree.Element) -> None:
    """Takes out what could run or reach outside, in place. Raises UnusableError for what is nested too deeply."""
    level, depth = [tree], 0
    while level:
        depth += 1
        if depth > _MAX_DEPTH:
            raise UnusableError("SVG nested too deeply")
        for element in level:
            for child in list(element):
                if _local(child) in _FOREIGN:
                    element.remove(child)
            for key in list(_links(element)):
                if not element.attrib[key].strip().startswith(("#", "data:image/png", "data:image/jpeg")):
                    del element.attrib[key]
        level = [child for element in level for child in element]


def _unfolded(tree: ElementTree.Element) -> int:
    """How many elements there are once every <use> stands for what it names: copies of copies grow exponentially."""
    named = {name: element for element in tree.iter() if (name := element.get("id"))}
    counts: dict[str, int] = {}

    def count(element: ElementTree.Element, above: tuple[str, ...]) -> int:
        total = 0
        for one in element.iter():
            total += 1
            if _local(one) == "use":
                total += sum(weight(one.attrib[key].strip()[1:], above) for key in _links(one))
            if total > _MAX_ELEMENTS:
                return total
        return total

    def weight(name: str, above: tuple[str, ...]) -> int:
        if name not in named or name in above:
            return 0
        if name not in counts:
            if len(above) > _MAX_DEPTH:
                raise UnusableError("SVG nested too deeply")
            counts[name] = count(named[name], (*above, name))
        return counts[name]

    return count(tree, ())


def _size(tree: ElementTree.Element) -> tuple[int, int]:
    """Width and height in pixels: those that are stated, else those of the view box, brought between the bounds."""
    stated = [_NUMBER.fullmatch(tree.get(side, "")) for side in ("width", "height")]
    box = [_NUMBER.fullmatch(word) for word in re.split(r"[\s,]+", tree.get("viewBox", "").strip())[2:4]]
    found = stated if all(stated) else box
    sides = [float(match.group(1)) for match in found if match]
    if len(sides) != 2 or min(sides) <= 0:
        raise UnusableError("SVG without a size")
    scale = min(1.0, _SIDES[1] / max(sides))
    width, height = (max(_SIDES[0], round(side * scale)) for side in sides)
    if "viewBox" not in tree.attrib:
        tree.set("viewBox", f"0 0 {sides[0]:g} {sides[1]:g}")
    return width, height
