"""What does a camera make of a receipt? Paper, folds, slant, light, blur and noise, of a stated strength."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

Floats = npt.NDArray[np.floating[Any]]

PATCHES, FINER = 8, 4
"""Into so many patches across the picture the paper is cut when it is bent; its light is told so many times finer."""

_INK, _LEVELS = 80, 64
_TABLES = ((120, 84, 56), (70, 70, 74), (150, 128, 104), (60, 80, 110), (196, 190, 182), (44, 40, 38))
_PAPERS = ((255, 254, 250), (250, 246, 236), (248, 250, 255), (255, 250, 232), (244, 240, 236))
_SIDES = 2.0
"""Pixels of paper that are always to be seen around the text."""


def photograph(paper: Image.Image, *, width: int, height: int, margin: int, strength: float, seed: Any) -> Image.Image:
    """A picture of `width` x `height` of a grey sheet whose text keeps `margin` from its edges.

    `strength` 0 is the clean sheet, in grey, on white; 1 is a crumpled one on a table, in colour. However it is bent,
    its text stays in the picture.
    """
    rng = np.random.default_rng(seed)
    if strength <= 0:
        page = Image.new("L", (width, height), 255)
        page.paste(paper, ((width - paper.width) // 2, int(rng.integers((height - paper.height) // 2 + 1))))
        return page
    fold = _folds(width, height, strength=strength, rng=rng)
    bent = _bent(paper, fold, width=width, height=height, margin=margin, strength=strength, rng=rng)
    values = np.asarray(bent, dtype=np.float32)
    on_paper = values > _INK / 2
    ink = np.clip((255 - values) / (255 - _INK), 0, 1) * rng.uniform(1 - 0.35 * strength, 1)
    light = _light(width, height, strength=strength, rng=rng) * _shade(fold, width=width, height=height)
    worn, table = _worn(width, height, strength=strength, rng=rng), _grain(width, height, rng=rng)
    seen = light / max(1.0, float(light.max())) * np.where(on_paper, 1 - ink * worn, table)
    return _developed(seen, on_paper, strength=strength, rng=rng)


def _folds(width: int, height: int, *, strength: float, rng: np.random.Generator) -> Floats:
    """How high the paper stands at the corners of the finer patches, in pixels: flat facets between creases."""
    y, x = _knots(width, height, finer=FINER)
    high = np.zeros_like(x)
    for _ in range(rng.poisson(2 + 8 * strength)):
        turn = rng.uniform(0, math.pi)
        at = rng.uniform(0, width), rng.uniform(0, height)
        high += rng.normal(0, 0.06) * np.abs((x - at[0]) * math.cos(turn) + (y - at[1]) * math.sin(turn))
    high += 0.04 * width * rng.normal() * np.sin(math.pi * (x / width + rng.uniform())) / math.pi
    return np.asarray(strength * (high - high.mean()), dtype=np.float64)


def _cell(width: int) -> int:
    """The side of a patch in pixels."""
    return -(-width // PATCHES)


def _knots(width: int, height: int, *, finer: int = 1) -> Floats:
    """y and x of the corners of the patches, (2, down, across); the last may lie outside of the picture."""
    cell = _cell(width)
    down, across = (-(-side // cell) * finer + 1 for side in (height, width))
    return np.mgrid[0:down, 0:across].astype(np.float64) * (cell / finer)


def _bent(
    paper: Image.Image,
    fold: Floats,
    *,
    width: int,
    height: int,
    margin: int,
    strength: float,
    rng: np.random.Generator,
) -> Image.Image:
    """The sheet as it lies in the picture: ink 80, paper 255, the table 0."""
    high = fold[::FINER, ::FINER]
    shift = np.stack([high * rng.uniform(-0.6, 0.6), high * rng.uniform(-0.6, 0.6)], axis=-1)
    limit = 0.02 * width
    shift *= min(1.0, limit / (np.abs(shift).max() + 1e-9))
    pad = float(np.abs(shift).max()) * 1.3 + _SIDES
    inner = np.array([[margin, margin], [paper.width - margin, margin]], dtype=np.float64)
    text = np.concatenate([inner, inner[::-1] + np.array([0, paper.height - 2.0 * margin])])
    seen = _placed(text, width=width - 2 * pad, height=height - 2 * pad, strength=strength, rng=rng) + pad
    y, x = _knots(width, height)
    source = _projected(_homography(seen, text), np.stack([x, y], axis=-1)) + shift
    cell = _cell(width)
    mesh = [
        ((i * cell, k * cell, (i + 1) * cell, (k + 1) * cell), _corners(source[k : k + 2, i : i + 2]))
        for k in range(-(-height // cell))
        for i in range(-(-width // cell))
    ]
    dark = paper.point([_INK + round(level * (255 - _INK) / 255) for level in range(256)])
    return dark.transform((width, height), Image.Transform.MESH, mesh, Image.Resampling.BICUBIC)


def _corners(patch: Floats) -> tuple[float, ...]:
    """Where a patch (2, 2, 2) of the picture lies on the sheet: its corners from the upper left, against the clock."""
    return tuple(map(float, (*patch[0, 0], *patch[1, 0], *patch[1, 1], *patch[0, 1])))


def _placed(text: Floats, *, width: float, height: float, strength: float, rng: np.random.Generator) -> Floats:
    """The corners of the text, turned, seen aslant, and moved and shrunk until they lie in the picture."""
    middle = text.mean(axis=0)
    turn = math.radians(4 * strength) * rng.uniform(-1, 1)
    turned = (text - middle) @ np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    turned += rng.uniform(-1, 1, size=(4, 2)) * 0.02 * strength * np.ptp(text, axis=0).min()
    turned -= turned.min(axis=0)
    extent = turned.max(axis=0)
    turned *= min(1.0, width / extent[0], height / extent[1])
    slack = np.array([width, height]) - turned.max(axis=0)
    return np.asarray(turned + slack * np.array([rng.uniform(0.3, 0.7), rng.uniform(0.1, 0.9)]), dtype=np.float64)


def _homography(source: Floats, target: Floats) -> Floats:
    """The 3 x 3 projection that takes four points (4, 2) to four others (Hartley and Zisserman 2004, section 4.1)."""
    rows, right = [], []
    for (x, y), (u, v) in zip(source, target, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        right += [u, v]
    return np.append(np.linalg.solve(np.array(rows), np.array(right)), 1.0).reshape(3, 3)


def _projected(matrix: Floats, points: Floats) -> Floats:
    """Points (.., 2) under a projection."""
    carried = points @ matrix[:, :2].T + matrix[:, 2]
    return np.asarray(carried[..., :2] / carried[..., 2:], dtype=np.float64)


def _shade(fold: Floats, *, width: int, height: int) -> Floats:
    """How light the facets are: those that face the lamp more than the others."""
    down, across = (np.gradient(fold, _cell(width) / FINER, axis=axis) for axis in (0, 1))
    faced = np.asarray(1 + 1.1 * across + 0.7 * down)
    return np.clip(_grown(faced, width=width, height=height), 0.6, 1.25)


def _light(width: int, height: int, *, strength: float, rng: np.random.Generator) -> Floats:
    """Light that falls off towards one side, with a soft shadow."""
    y, x = np.mgrid[0:9, 0:9] / 8
    turn = rng.uniform(0, 2 * math.pi)
    falling = (x - 0.5) * math.cos(turn) + (y - 0.5) * math.sin(turn)
    spots = rng.normal(0, 0.06, size=(9, 9))
    bright = rng.uniform(1 - 0.3 * strength, 1)
    return _grown(bright * (1 + strength * (0.35 * falling + spots)), width=width, height=height)


def _worn(width: int, height: int, *, strength: float, rng: np.random.Generator) -> Floats:
    """How much of the ink is there: printers fade in columns, and thermal paper in spots."""
    spots = rng.uniform(1 - 0.35 * strength, 1, size=(12, 10))
    faded = rng.uniform(1 - 0.25 * strength, 1, size=(1, 24))
    worn = _grown(spots, width=width, height=height) * _grown(faded, width=width, height=1)
    return np.clip(worn, 0.45, 1)


def _grain(width: int, height: int, *, rng: np.random.Generator) -> Floats:
    """The table under the paper: boards of a grain along one side."""
    grain = rng.normal(0.8, 0.05, size=(height // 3 + 1, 6))
    return _grown(grain, width=width, height=height)


def _grown(field: Floats, *, width: int, height: int) -> Floats:
    """A coarse field as one of all pixels."""
    image = Image.fromarray(field.astype(np.float32))
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))


def _developed(
    seen: Floats, on_paper: npt.NDArray[np.bool_], *, strength: float, rng: np.random.Generator
) -> Image.Image:
    """Blur, noise and JPEG; then colour, by a palette of the paper's shades and the table's."""
    values = np.clip(250 * seen, 0, 255).astype(np.uint8)
    blur = strength * rng.uniform(0.1, 0.75) * min(2.0, max(1.0, seen.shape[1] / 400))
    grey = np.asarray(Image.fromarray(values).filter(ImageFilter.GaussianBlur(blur)))
    noise = rng.standard_normal(seen.shape, dtype=np.float32) * np.float32(strength * rng.uniform(2, 9))
    grey = np.clip(grey + noise, 0, 255)
    file = io.BytesIO()
    Image.fromarray(grey.astype(np.uint8)).save(file, format="JPEG", quality=int(95 - 45 * strength * rng.uniform()))
    taken = np.asarray(Image.open(file))
    shown = Image.fromarray((taken // (256 // _LEVELS) + np.where(on_paper, 0, _LEVELS)).astype(np.uint8), mode="P")
    shown.putpalette(_palette(rng))
    return shown


def _palette(rng: np.random.Generator) -> list[int]:
    """Shades of the paper, from ink on, then shades of the table."""
    paper, table = (np.array(colours[int(rng.integers(len(colours)))]) for colours in (_PAPERS, _TABLES))
    ink = np.array([0.0, 0.0, rng.uniform(0, 40)])
    level = np.arange(_LEVELS)[:, None] / (_LEVELS - 1)
    shades = np.concatenate([ink + level * (paper - ink), level * table * 1.3])
    return [int(value) for value in np.clip(shades, 0, 255).round().ravel()]
