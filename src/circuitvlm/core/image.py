"""Convert images of any mode to upright RGB with 8 bits, on white paper."""

from __future__ import annotations

import logging
import struct

import numpy as np
from PIL import Image, ImageCms, ImageOps

MAXIMA = (1.0, 255.0, 65535.0)
"""White in an image of 32-bit numbers: the first of these that no value exceeds, or else the largest value."""

_TRANSPARENT_MODES = ("RGBA", "RGBa", "LA", "La", "PA")
log = logging.getLogger(__name__)


def to_rgb(image: Image.Image) -> Image.Image:
    """The loaded image as RGB, turned as its EXIF orientation states; transparent pixels become white.

    16-bit greys are scaled from 0..65535, 32-bit integers and floats by MAXIMA, where NaN is white. Other orientations
    than 1 to 8, and EXIF data that cannot be read, are ignored, as browsers do. Raises ValueError for unknown modes.
    """
    has_16_bits = image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM"))
    try:
        image = ImageOps.exif_transpose(image)
    except (SyntaxError, ValueError, KeyError, TypeError, ZeroDivisionError, OSError, struct.error) as error:
        log.debug("EXIF data that cannot be read: %s", error)
    if image.mode.startswith("I") or image.mode == "F":
        return _scale(image, white=MAXIMA[-1] if has_16_bits else None).convert("RGB")
    if image.mode == "LAB":
        profiles = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        rgb = ImageCms.profileToProfile(image, *profiles, outputMode="RGB")
        assert rgb is not None, "a new image is returned unless inPlace is set"
        return rgb
    if image.mode in _TRANSPARENT_MODES or "transparency" in image.info:
        rgba = image.convert("RGBA")
        background = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        return Image.alpha_composite(background, rgba).convert("RGB")
    return image.convert("RGB")


def _scale(image: Image.Image, *, white: float | None) -> Image.Image:
    """An image of 16-bit or 32-bit numbers with values from 0 to 255; `white` None: by MAXIMA."""
    values = np.asarray(image).astype(np.float64)
    values[np.isnan(values)] = np.inf
    finite_values = values[np.isfinite(values)]
    largest = float(finite_values.max(initial=0.0))
    white = white or next((limit for limit in MAXIMA if largest <= limit), largest)
    return Image.fromarray(np.rint(np.clip(values / white, 0, 1) * 255).astype(np.uint8))
