"""Check that a picture is upright RGB on white paper, whatever format and mode its file has."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from circuitvlm.core.image import to_rgb
from circuitvlm.core.record import Picture, PictureError

ORIENTATION = 0x0112
# What each EXIF orientation does to the upright picture before it is stored (TIFF 6.0, p. 36: row 0, column 0).
STORED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: np.swapaxes(a, 0, 1),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: np.swapaxes(a[::-1, ::-1], 0, 1),
    8: lambda a: np.rot90(a, -1),
}
EXIF_FORMATS: dict[str, dict[str, Any]] = {
    "PNG": {},
    "JPEG": {"quality": 100, "subsampling": 0},
    "WEBP": {"lossless": True},
    "TIFF": {},
}


def drawing() -> np.ndarray:
    """A grey-level drawing in which every turn and reflection is another picture; (40, 56), uint8."""
    page = Image.new("L", (56, 40), 255)
    draw = ImageDraw.Draw(page)
    draw.rectangle((4, 4, 20, 12), fill=0)
    draw.line((50, 4, 50, 34), fill=96, width=3)
    return np.asarray(page)


def opened(path: Path) -> np.ndarray:
    image = Picture(path).open()
    assert image.mode == "RGB"
    return np.asarray(image).astype(int)


def grey(values: np.ndarray) -> np.ndarray:
    return np.stack([values.astype(int)] * 3, axis=-1)


@pytest.mark.parametrize(("orientation", "kind"), itertools.product(STORED, EXIF_FORMATS))
def test_a_photo_is_turned_as_its_exif_orientation_states(orientation: int, kind: str, tmp_path: Path) -> None:
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](drawing()))).convert("RGB")
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    stored.save(tmp_path / "photo", kind, exif=exif, **EXIF_FORMATS[kind])
    assert np.abs(opened(tmp_path / "photo") - grey(drawing())).max() <= (3 if kind == "JPEG" else 0)


@pytest.mark.parametrize("orientation", [0, 9, 77, 65535])
def test_an_orientation_that_does_not_exist_is_ignored(orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    Image.fromarray(drawing()).convert("RGB").save(tmp_path / "photo.png", exif=exif)
    assert (opened(tmp_path / "photo.png") == grey(drawing())).all()


@pytest.mark.parametrize("exif", [b"", b"Exif\0\0", b"Exif\0\0MM\0*\0\0", b"Exif\0\0II*\0" + b"\xff" * 60, b"junk" * 9])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_broken_exif_data_are_ignored(exif: bytes, kind: str, tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.fromarray(drawing()).convert("RGB").save(file, kind, exif=exif, **EXIF_FORMATS[kind])
    (tmp_path / "photo").write_bytes(file.getvalue())
    assert np.abs(opened(tmp_path / "photo") - grey(drawing())).max() <= 3


def modes() -> Iterator[tuple[str, Image.Image, str, int]]:
    """Name, an image with the drawing's content, the format of its file, and the largest error of a value."""
    page = drawing()
    plain = Image.fromarray(page)
    yield "grey", plain, "PNG", 0
    yield "grey TIFF", plain, "TIFF", 0
    yield "BMP", plain.convert("RGB"), "BMP", 0
    yield "GIF", plain, "GIF", 0
    yield "PGM", plain, "PPM", 0
    for kind in ("PNG", "TIFF", "PPM"):
        yield f"16 bits {kind}", Image.fromarray(page.astype(np.uint16) * 257), kind, 0
    yield "16 bits, the other byte order", Image.fromarray((page.astype(">u2") * 257).astype(">u2")), "TIFF", 0
    yield "32-bit integers of 8 bits", Image.fromarray(page.astype(np.int32)), "TIFF", 0
    yield "32-bit integers of 16 bits", Image.fromarray(page.astype(np.int32) * 257), "TIFF", 0
    yield "32-bit integers", Image.fromarray(page.astype(np.int32) * 2**23), "TIFF", 0
    yield "floats to 1", Image.fromarray((page / 255).astype(np.float32)), "TIFF", 0
    yield "floats to 255", Image.fromarray(page.astype(np.float32)), "TIFF", 0
    yield "floats to 65535", Image.fromarray((page * 257.0).astype(np.float32)), "TIFF", 0
    yield "CMYK TIFF", plain.convert("CMYK"), "TIFF", 1
    yield "CMYK JPEG", plain.convert("CMYK"), "JPEG", 8
    yield "YCbCr", plain.convert("YCbCr"), "TIFF", 2
    yield "Lab", Image.fromarray(np.stack([page, *[np.zeros_like(page)] * 2], -1), "LAB"), "TIFF", 30
    yield "palette", plain.convert("P"), "PNG", 0
    yield "palette of two", plain.point(lambda v: 255 * (v > 128)).convert("P"), "PNG", 96
    yield "palette TIFF", plain.convert("P"), "TIFF", 0
    ink = Image.fromarray(255 - page)
    black = Image.new("L", plain.size, 0)
    yield "ink on transparent paper", Image.merge("LA", (black, ink)), "PNG", 0
    yield "coloured ink on transparent paper", Image.merge("RGBA", (black, black, black, ink)), "PNG", 0
    yield "WebP on transparent paper", Image.merge("RGBA", (black, black, black, ink)), "WEBP", 1


@pytest.mark.parametrize("name", [name for name, *_ in modes()])
def test_every_mode_gives_the_same_picture_on_white_paper(name: str, tmp_path: Path) -> None:
    ((image, kind, tolerance),) = [rest for key, *rest in modes() if key == name]
    image.save(tmp_path / "picture", kind, **({"quality": 100} if kind == "JPEG" else {}))
    pixels = opened(tmp_path / "picture")
    assert np.abs(pixels - grey(drawing())).max() <= tolerance
    assert pixels[-1, 0].min() >= 254, "paper is white"


def test_a_transparent_colour_is_paper(tmp_path: Path) -> None:
    page = drawing()
    for mode, key in (("L", 255), ("RGB", (255, 255, 255)), ("P", 0)):
        image = Image.fromarray(255 - page if mode == "P" else page).convert(mode)
        image.save(tmp_path / "x.png", transparency=key)
        assert opened(tmp_path / "x.png")[-1, 0].tolist() == [255, 255, 255]


def test_bilevel_images_stay_black_and_white(tmp_path: Path) -> None:
    page = drawing() > 128
    for kind in ("PNG", "TIFF", "PPM", "BMP"):
        Image.fromarray(page).save(tmp_path / "x", kind)
        assert (opened(tmp_path / "x") == grey(page * 255)).all()


def test_numbers_that_are_none_are_paper_and_those_beyond_the_range_are_cut() -> None:
    values = np.array([[0.5, np.nan, -3.0, np.inf]], np.float32)
    assert np.asarray(to_rgb(Image.fromarray(values)))[0, :, 0].tolist() == [128, 255, 0, 255]


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "GIF", "WEBP"])
def test_of_several_frames_the_first_is_used(kind: str, tmp_path: Path) -> None:
    page, other = Image.fromarray(drawing()).convert("RGB"), Image.new("RGB", (56, 40), "red")
    page.save(
        tmp_path / "x", kind, save_all=True, append_images=[other], **({"lossless": True} if kind == "WEBP" else {})
    )
    assert (opened(tmp_path / "x") == grey(drawing())).all()


def test_what_is_no_picture_is_named(tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.fromarray(drawing()).save(file, "PNG")
    for raw in (b"", b"text", file.getvalue()[:40], file.getvalue()[:-30]):
        (tmp_path / "x.png").write_bytes(raw)
        with pytest.raises(PictureError, match=r"x\.png"):
            Picture(tmp_path / "x.png").open()
