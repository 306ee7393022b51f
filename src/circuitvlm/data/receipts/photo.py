"""Render a receipt as a camera would show it: paper, folds, perspective, light, blur and noise."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

Floats = npt.NDArray[np.floating[Any]]

PATCHES, FINE_STEPS = 8, 4
"""The number of patches across the picture in which the paper is bent, and of finer steps in each for its shading."""

_INK_GREY, _SHADES = 80, 64
_TABLE_COLOURS = ((120, 84, 56), (70, 70, 74), (150, 128, 104), (60, 80, 110), (196, 190, 182), (44, 40, 38))
_PAPER_COLOURS = ((255, 254, 250), (250, 246, 236), (248, 250, 255), (255, 250, 232), (244, 240, 236))
_MIN_BORDER = 2.0
"""Pixels of paper that are always visible around the text."""


def photograph(paper: Image.Image, *, width: int, height: int, margin: int, strength: float, seed: Any) -> Image.Image:
    """A picture of `width` x `height` of a grey sheet whose text has a distance of `margin` from its edges.

    With `strength` 0 it is the clean sheet in grey on white, with 1 a crumpled one on a table in colour. However much
    the sheet is bent, its text stays in the picture.
    """
    rng = np.random.default_rng(seed)
    if strength <= 0:
        page = Image.new("L", (width, height), 255)
        page.paste(paper, ((width - paper.width) // 2, int(rng.integers((height - paper.height) // 2 + 1))))
        return page
    folds = _folds(width, height, strength=strength, rng=rng)
    grey = np.asarray(
        _bend(paper, folds, width=width, height=height, margin=margin, strength=strength, rng=rng), dtype=np.float32
    )
    on_paper = grey > _INK_GREY / 2
    ink = np.clip((255 - grey) / (255 - _INK_GREY), 0, 1) * rng.uniform(1 - 0.35 * strength, 1)
    light = _light(width, height, strength=strength, rng=rng) * _facet_brightness(folds, width=width, height=height)
    coverage = _ink_coverage(width, height, strength=strength, rng=rng)
    table = _upsample(rng.normal(0.8, 0.05, size=(height // 3 + 1, 6)), width=width, height=height)  # a grain along x
    brightness = light / max(1.0, float(light.max())) * np.where(on_paper, 1 - ink * coverage, table)
    return _expose(brightness, on_paper, strength=strength, rng=rng)


def _folds(width: int, height: int, *, strength: float, rng: np.random.Generator) -> Floats:
    """The height of the paper at the corners of the fine patches, in pixels: flat facets between creases."""
    y, x = _patch_corners(width, height, steps=FINE_STEPS)
    heights = np.zeros_like(x)
    for _ in range(rng.poisson(2 + 8 * strength)):
        angle = rng.uniform(0, math.pi)
        crease_x, crease_y = rng.uniform(0, width), rng.uniform(0, height)
        distance = np.abs((x - crease_x) * math.cos(angle) + (y - crease_y) * math.sin(angle))
        heights += rng.normal(0, 0.06) * distance
    heights += 0.04 * width * rng.normal() * np.sin(math.pi * (x / width + rng.uniform())) / math.pi
    return np.asarray(strength * (heights - heights.mean()), dtype=np.float64)


def _patch_side(width: int) -> int:
    """The side of a patch in pixels."""
    return -(-width // PATCHES)


def _patch_corners(width: int, height: int, *, steps: int = 1) -> Floats:
    """y and x of the corners of the patches, (2, rows, columns); the last ones may be outside the picture."""
    side = _patch_side(width)
    rows, columns = (-(-length // side) * steps + 1 for length in (height, width))
    return np.mgrid[0:rows, 0:columns].astype(np.float64) * (side / steps)


def _bend(
    paper: Image.Image,
    folds: Floats,
    *,
    width: int,
    height: int,
    margin: int,
    strength: float,
    rng: np.random.Generator,
) -> Image.Image:
    """The sheet in the picture: ink 80, paper 255, the table 0."""
    heights = folds[::FINE_STEPS, ::FINE_STEPS]
    shift = np.stack([heights * rng.uniform(-0.6, 0.6), heights * rng.uniform(-0.6, 0.6)], axis=-1)
    shift *= min(1.0, 0.02 * width / (np.abs(shift).max() + 1e-9))
    border = float(np.abs(shift).max()) * 1.3 + _MIN_BORDER
    top = np.array([[margin, margin], [paper.width - margin, margin]], dtype=np.float64)
    text = np.concatenate([top, top[::-1] + np.array([0, paper.height - 2.0 * margin])])
    target = (
        _place_text(text, width=width - 2 * border, height=height - 2 * border, strength=strength, rng=rng) + border
    )
    y, x = _patch_corners(width, height)
    source = _project(_homography(target, text), np.stack([x, y], axis=-1)) + shift
    side = _patch_side(width)
    mesh = [
        ((i * side, k * side, (i + 1) * side, (k + 1) * side), _quadrilateral(source[k : k + 2, i : i + 2]))
        for k in range(-(-height // side))
        for i in range(-(-width // side))
    ]
    grey_paper = paper.point([_INK_GREY + round(level * (255 - _INK_GREY) / 255) for level in range(256)])
    return grey_paper.transform((width, height), Image.Transform.MESH, mesh, Image.Resampling.BICUBIC)


def _quadrilateral(corners: Floats) -> tuple[float, ...]:
    """The corners (2, 2, 2) of a patch of the sheet as x, y, from the upper left counterclockwise, as PIL expects."""
    return tuple(map(float, (*corners[0, 0], *corners[1, 0], *corners[1, 1], *corners[0, 1])))


def _place_text(text: Floats, *, width: float, height: float, strength: float, rng: np.random.Generator) -> Floats:
    """The corners of the text (4, 2) in the picture: rotated, in perspective, and scaled and moved to fit into it."""
    center = text.mean(axis=0)
    angle = math.radians(4 * strength) * rng.uniform(-1, 1)
    corners = (text - center) @ np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    corners += rng.uniform(-1, 1, size=(4, 2)) * 0.02 * strength * np.ptp(text, axis=0).min()
    corners -= corners.min(axis=0)
    extent = corners.max(axis=0)
    corners *= min(1.0, width / extent[0], height / extent[1])
    slack = np.array([width, height]) - corners.max(axis=0)
    return np.asarray(corners + slack * np.array([rng.uniform(0.3, 0.7), rng.uniform(0.1, 0.9)]), dtype=np.float64)


def _homography(source: Floats, target: Floats) -> Floats:
    """The 3 x 3 projection of four points (4, 2) to four points (Hartley and Zisserman 2004, section 4.1)."""
    matrix, right_side = [], []
    for (x, y), (u, v) in zip(source, target, strict=True):
        matrix += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        right_side += [u, v]
    return np.append(np.linalg.solve(np.array(matrix), np.array(right_side)), 1.0).reshape(3, 3)


def _project(matrix: Floats, points: Floats) -> Floats:
    """Points (.., 2) under a projection."""
    homogeneous = points @ matrix[:, :2].T + matrix[:, 2]
    return np.asarray(homogeneous[..., :2] / homogeneous[..., 2:], dtype=np.float64)


def _facet_brightness(folds: Floats, *, width: int, height: int) -> Floats:
    """The brightness of the facets (height, width), by their slope towards the lamp."""
    slope_y, slope_x = (np.gradient(folds, _patch_side(width) / FINE_STEPS, axis=axis) for axis in (0, 1))
    return np.clip(_upsample(np.asarray(1 + 1.1 * slope_x + 0.7 * slope_y), width=width, height=height), 0.6, 1.25)


def _light(width: int, height: int, *, strength: float, rng: np.random.Generator) -> Floats:
    """Light (height, width) that decreases towards one side, with a soft shadow."""
    y, x = np.mgrid[0:9, 0:9] / 8
    angle = rng.uniform(0, 2 * math.pi)
    slope = (x - 0.5) * math.cos(angle) + (y - 0.5) * math.sin(angle)
    shadow = rng.normal(0, 0.06, size=(9, 9))
    brightness = rng.uniform(1 - 0.3 * strength, 1)
    return _upsample(brightness * (1 + strength * (0.35 * slope + shadow)), width=width, height=height)


def _ink_coverage(width: int, height: int, *, strength: float, rng: np.random.Generator) -> Floats:
    """The part of the ink that is left: printers fade in columns, and thermal paper in spots."""
    spots = rng.uniform(1 - 0.35 * strength, 1, size=(12, 10))
    columns = rng.uniform(1 - 0.25 * strength, 1, size=(1, 24))
    coverage = _upsample(spots, width=width, height=height) * _upsample(columns, width=width, height=1)
    return np.clip(coverage, 0.45, 1)


def _upsample(field: Floats, *, width: int, height: int) -> Floats:
    """A coarse field, interpolated for all pixels (height, width)."""
    return np.asarray(Image.fromarray(field.astype(np.float32)).resize((width, height), Image.Resampling.BICUBIC))


def _expose(
    brightness: Floats, on_paper: npt.NDArray[np.bool_], *, strength: float, rng: np.random.Generator
) -> Image.Image:
    """Add blur, noise and JPEG artefacts, then colour, by a palette of the paper's shades and the table's."""
    values = np.clip(250 * brightness, 0, 255).astype(np.uint8)
    blur = strength * rng.uniform(0.1, 0.75) * min(2.0, max(1.0, brightness.shape[1] / 400))
    grey = np.asarray(Image.fromarray(values).filter(ImageFilter.GaussianBlur(blur)))
    noise = rng.standard_normal(brightness.shape, dtype=np.float32) * np.float32(strength * rng.uniform(2, 9))
    grey = np.clip(grey + noise, 0, 255)
    file = io.BytesIO()
    Image.fromarray(grey.astype(np.uint8)).save(file, format="JPEG", quality=int(95 - 45 * strength * rng.uniform()))
    shades = np.asarray(Image.open(file)) // (256 // _SHADES)
    image = Image.fromarray((shades + np.where(on_paper, 0, _SHADES)).astype(np.uint8), mode="P")
    image.putpalette(_palette(rng))
    return image


def _palette(rng: np.random.Generator) -> list[int]:
    """The shades of the paper, from ink on, then those of the table, as red, green, blue."""
    paper, table = (np.array(colours[int(rng.integers(len(colours)))]) for colours in (_PAPER_COLOURS, _TABLE_COLOURS))
    ink = np.array([0.0, 0.0, rng.uniform(0, 40)])
    level = np.arange(_SHADES)[:, None] / (_SHADES - 1)
    shades = np.concatenate([ink + level * (paper - ink), level * table * 1.3])
    return [int(value) for value in np.clip(shades, 0, 255).round().ravel()]
