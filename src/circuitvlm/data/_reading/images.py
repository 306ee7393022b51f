"""Check raster images by their header, and render SVG drawings as PNG files in a cache."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import resvg_py
from PIL import Image, UnidentifiedImageError

from circuitvlm.data._reading.files import UnusableError, write_atomically

MAX_IMAGE_BYTES = 20_000_000
MAX_PIXELS = 80_000_000
RASTER, VECTOR = (".png", ".jpg", ".jpeg"), ".svg"
_FORMATS = ("PNG", "JPEG")

_VERSION = 1
"""Increase this when a change gives other pixels for the same SVG: files of older versions are then not used."""

_SIDE_LIMITS = (16, 1536)
"""Smallest and largest side in pixels of a rendered SVG drawing."""

_MAX_ELEMENTS, _MAX_DEPTH = 200_000, 200
_FORBIDDEN_TAGS = ("script", "foreignObject", "handler", "listener")
_NUMBER = re.compile(r"\s*([0-9]{1,9}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})\s*(?:px|pt|mm|cm|in|pc|em)?\s*")
_FONTS = str(Path(matplotlib.get_data_path()) / "fonts" / "ttf")


def usable_image(path: Path, *, cache: Path) -> Path:
    """The file to open for an image: the file itself, or the PNG of an SVG file. Raises UnusableError."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise UnusableError("no image", path) from error
    if size > MAX_IMAGE_BYTES:
        raise UnusableError("image file too large", f"{size:,} bytes")
    if path.suffix.lower() == VECTOR:
        return _cached_png(path, cache=cache)
    try:
        with Image.open(path) as image:
            width, height = image.size
            is_supported = image.format in _FORMATS
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, SyntaxError, ValueError) as error:
        raise UnusableError("unreadable image", error) from error
    if not is_supported or min(width, height) < 2:
        raise UnusableError("unreadable image", f"{width} x {height} pixels")
    if width * height > MAX_PIXELS:
        raise UnusableError("image of too many pixels", f"{width} x {height} pixels")
    return path


def _cached_png(path: Path, *, cache: Path) -> Path:
    """The PNG of an SVG file, rendered on first use."""
    raw = path.read_bytes()
    png_path = cache / "svg" / f"{hashlib.sha256(b'%d ' % _VERSION + raw).hexdigest()[:32]}.png"
    if not png_path.is_file():
        png = rasterize_svg(raw)
        png_path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(png_path, png)
    return png_path


def rasterize_svg(raw: bytes) -> bytes:
    """Render an SVG file as a PNG on a white page with matplotlib's fonts, at most 1536 pixels a side.

    Scripts, HTML and images outside the file are removed. Raises UnusableError for entities, for drawings of more than
    200,000 elements with all references expanded, and for a file without a size or with errors.
    """
    if re.search(rb"<!ENTITY", raw, re.IGNORECASE):
        raise UnusableError("SVG with entities", raw[:80])
    try:
        tree = ElementTree.fromstring(raw)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise UnusableError("unreadable image", error) from error
    _strip(tree)
    if (count := _count_elements(tree)) > _MAX_ELEMENTS:
        raise UnusableError("SVG of too many elements", f"{count:,} elements")
    for side, pixels in zip(("width", "height"), _size(tree), strict=True):
        tree.set(side, str(pixels))
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
        raise UnusableError("unreadable image", error) from error
    return png


def _local_name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _links(element: ElementTree.Element) -> Iterator[str]:
    return (key for key in element.attrib if key.rpartition("}")[2] == "href")


def _strip(tree: ElementTree.Element) -> None:
    """Remove, in place, scripts and links out of the file. Raises UnusableError for elements nested too deeply."""
    level, depth = [tree], 0
    while level:
        depth += 1
        if depth > _MAX_DEPTH:
            raise UnusableError("SVG nested too deeply", f"{depth} levels or more")
        for element in level:
            for child in list(element):
                if _local_name(child) in _FORBIDDEN_TAGS:
                    element.remove(child)
            for key in list(_links(element)):
                if not element.attrib[key].strip().startswith(("#", "data:image/png", "data:image/jpeg")):
                    del element.attrib[key]
        level = [child for element in level for child in element]


def _count_elements(tree: ElementTree.Element) -> int:
    """The number of elements with every <use> expanded; nested references can make it grow exponentially."""
    elements_by_id = {name: element for element in tree.iter() if (name := element.get("id"))}
    element_counts: dict[str, int] = {}

    def count(element: ElementTree.Element, ancestors: tuple[str, ...]) -> int:
        total = 0
        for node in element.iter():
            total += 1
            if _local_name(node) == "use":
                total += sum(count_reference(node.attrib[key].strip()[1:], ancestors) for key in _links(node))
            if total > _MAX_ELEMENTS:
                break
        return total

    def count_reference(name: str, ancestors: tuple[str, ...]) -> int:
        if name not in elements_by_id or name in ancestors:
            return 0
        if name not in element_counts:
            if len(ancestors) > _MAX_DEPTH:
                raise UnusableError("SVG nested too deeply", f"{len(ancestors)} levels or more")
            element_counts[name] = count(elements_by_id[name], (*ancestors, name))
        return element_counts[name]

    return count(tree, ())


def _size(tree: ElementTree.Element) -> list[int]:
    """Width and height in pixels, from the attributes or else the view box, scaled into the limits.

    Raises UnusableError without a size.
    """
    attribute_matches = [_NUMBER.fullmatch(tree.get(side, "")) for side in ("width", "height")]
    box_matches = [_NUMBER.fullmatch(word) for word in re.split(r"[\s,]+", tree.get("viewBox", "").strip())[2:4]]
    matches = attribute_matches if all(attribute_matches) else box_matches
    sides = [float(match.group(1)) for match in matches if match]
    if len(sides) != 2 or min(sides) <= 0:
        raise UnusableError("SVG without a size", sides)
    if "viewBox" not in tree.attrib:
        tree.set("viewBox", f"0 0 {sides[0]:g} {sides[1]:g}")
    scale = min(1.0, _SIDE_LIMITS[1] / max(sides))
    return [max(_SIDE_LIMITS[0], round(side * scale)) for side in sides]
