"""Render SVG drawings that may be hostile: within bounds of elements, depth and pixels, and without other files."""

from __future__ import annotations

import base64
import binascii
import io
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree
from xml.parsers import expat

import matplotlib
import resvg_py
from PIL import Image

from circuitvlm.data._reading.files import UnusableError

MAX_EMBEDDED_PIXELS = 20_000_000

_SIDE_LIMITS = (16, 1536)
"""Smallest and largest side in pixels of a rendered SVG drawing."""

_MAX_ELEMENTS, _MAX_DEPTH = 200_000, 200
_FORBIDDEN_TAGS = ("script", "foreignObject", "handler", "listener")
_NUMBER = re.compile(r"\s*([0-9]{1,9}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})\s*(?:px|pt|mm|cm|in|pc|em)?\s*")
_REFERENCE = re.compile(r"url\(\s*['\"]?\s*#([^'\")\s]+)")
_COORDINATE = re.compile(r"[0-9.]+")
_FONTS = str(Path(matplotlib.get_data_path()) / "fonts" / "ttf")


def rasterize_svg(raw: bytes) -> bytes:
    """Render an SVG file as a PNG on a white page with matplotlib's fonts, at most 1536 pixels a side.

    Scripts, HTML and images outside the file are removed. Raises UnusableError for entities and filters, for drawings
    of more than 200,000 elements with all references expanded, and for a file without a size or with errors.
    """
    try:
        _refuse_entities(raw)
        tree = ElementTree.fromstring(raw)
    except (ElementTree.ParseError, expat.ExpatError, ValueError, LookupError) as error:
        if isinstance(error, UnusableError):
            raise
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


def _refuse_entities(raw: bytes) -> None:
    """Raise UnusableError for a declared entity, in any encoding; their expansion grows exponentially."""

    def refuse(name: str, *details: object) -> None:
        raise UnusableError("SVG with entities", name[:80])

    parser = expat.ParserCreate()
    parser.EntityDeclHandler = refuse
    parser.Parse(raw, True)


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
            if _local_name(element) == "filter":  # the cost of a filter does not depend on the number of elements
                raise UnusableError("SVG with filters", element.get("id", ""))
            for key in list(_links(element)):
                link = element.attrib[key].strip()
                if not link.startswith("#") and not _is_small_raster(link):
                    del element.attrib[key]
        level = [child for element in level for child in element]


def _is_small_raster(link: str) -> bool:
    """Whether a link holds the bytes of a PNG or JPEG of at most MAX_EMBEDDED_PIXELS."""
    kind, _, data = link.partition(",")
    if kind not in ("data:image/png;base64", "data:image/jpeg;base64"):
        return False
    try:
        with Image.open(io.BytesIO(base64.b64decode(data)), formats=("PNG", "JPEG")) as image:
            return image.width * image.height <= MAX_EMBEDDED_PIXELS
    except (OSError, ValueError, SyntaxError, binascii.Error, Image.DecompressionBombError):
        return False


def _count_points(element: ElementTree.Element) -> int:
    """At least the number of points of all paths in an element, whose markers they inherit."""
    texts = (node.get(key, "") for node in element.iter() for key in ("d", "points"))
    return 1 + sum(len(_COORDINATE.findall(text)) for text in texts)


def _count_elements(tree: ElementTree.Element) -> int:
    """The number of elements that are drawn, with every reference expanded; nested ones can grow exponentially.

    References are those of <use>, and `url(#..)` of patterns, masks, clips and markers. A marker is drawn at each point
    of its path, and a reference of a style sheet may hold for every element.
    """
    elements_by_id = {name: element for element in tree.iter() if (name := element.get("id"))}
    sheets = " ".join(element.text or "" for element in tree.iter() if _local_name(element) == "style")
    sheet_names = _REFERENCE.findall(sheets)
    element_counts: dict[str, int] = {}

    def references(element: ElementTree.Element) -> Iterator[tuple[str, int]]:
        """Each referenced id with the number of times that it is drawn."""
        for key, value in element.attrib.items():
            if key.rpartition("}")[2] == "href":
                yield value.strip()[1:], 1
            times = _count_points(element) if "marker" in f"{key}{value}" else 1
            yield from ((name, times) for name in _REFERENCE.findall(value))
        yield from ((name, 1) for name in sheet_names)

    def count(element: ElementTree.Element, ancestors: tuple[str, ...]) -> int:
        total = 0
        for node in element.iter():
            total += 1
            for name, times in references(node):
                total += times * count_reference(name, ancestors)
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
