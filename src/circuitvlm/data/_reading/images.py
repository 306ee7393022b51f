"""Check raster images by their header, and keep the PNG files of SVG drawings in a cache."""

from __future__ import annotations

import hashlib
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from circuitvlm.data._reading.files import UnusableError, write_atomically
from circuitvlm.data._reading.svg import rasterize_svg

MAX_IMAGE_BYTES = 20_000_000
MAX_PIXELS = 80_000_000
RASTER, VECTOR = (".png", ".jpg", ".jpeg"), ".svg"
_FORMATS = ("PNG", "JPEG")

_VERSION = 1
"""Increase this when a change gives other pixels for the same SVG: files of older versions are then not used."""


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
