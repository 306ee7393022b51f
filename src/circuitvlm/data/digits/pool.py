"""Give each split its images of a part of a digit data set."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from pathlib import Path

import numpy as np
from PIL import Image

from circuitvlm.core.record import Example, Picture
from circuitvlm.data._reading.files import write_atomically
from circuitvlm.data._reading.lazy import LazyExamples
from circuitvlm.runtime.spelling import suggestion

_VERSION = 1
"""Raise this whenever the same pixels would become another file: old caches are then left alone."""


@dataclass(frozen=True, slots=True)
class Pool:
    """The images of one part: their labels (0 to 9), and a function that gives image k's file, writing it if needed."""

    labels: Sequence[int]
    image_path: Callable[[int], Path]


@dataclass(frozen=True, slots=True)
class Split:
    """How many images of its part a split takes, after those of earlier splits; None: all remaining ones."""

    part: str
    count: int | None


def read_splits(splits: Mapping[str, Mapping[str, object] | None], *, parts: Sequence[str]) -> dict[str, Split]:
    """The splits of a configuration; one that is null is skipped. Raises ValueError for wrong settings."""
    result: dict[str, Split] = {}
    for name, settings in splits.items():
        if settings is None:
            continue
        part, count = settings.get("part"), settings.get("count")
        if set(settings) - {"part", "count"} or part not in parts:
            raise ValueError(
                f"digits.splits.{name}: expected part: {' or '.join(parts)}, and a count unless the split takes all "
                f"remaining images, got {dict(settings)}.{suggestion(str(part), parts)}"
            )
        if count is not None and (not isinstance(count, int) or count < 1):
            raise ValueError(f"digits.splits.{name}.count: expected 1 or more, got {count!r}")
        if Split(str(part), None) in result.values():
            raise ValueError(
                f"digits.splits.{name}: expected no split of {part} after one without a count, which takes all "
                f"remaining images, got {dict(settings)}; put it before that one"
            )
        result[name] = Split(str(part), count)
    return result


def split_indices(name: str, *, splits: Mapping[str, Split], size: int, seed: int | None, begin: int) -> list[int]:
    """The indices of a split's images in its part; no two splits share one.

    The `size` images of a part form a circle, in an order that the seed decides (None: the order of the files), the
    same on every machine. From index `begin` on, the splits take their images one after the other. Raises ValueError
    if too few remain.
    """
    split = splits[name]
    earlier_splits = (splits[key] for key in takewhile(lambda key: key != name, splits))
    start = sum(earlier.count or 0 for earlier in earlier_splits if earlier.part == split.part)
    remaining_count = size - start
    if remaining_count < (split.count or 1):
        raise ValueError(
            f"digits.splits.{name}: expected at least {split.count or 1} remaining images of the part {split.part!r}, "
            f"got {remaining_count}: it has {size}, of which earlier splits take {start}; lower the counts"
        )
    order = list(range(size))
    if seed is not None:
        order.sort(key=lambda k: hashlib.sha256(f"{seed} {split.part} {k}".encode()).digest())
    first = (begin + start) % size
    return [*order[first:], *order[:first]][: remaining_count if split.count is None else split.count]


def make_examples(pool: Pool, indices: Sequence[int], *, part: str) -> Sequence[Example]:
    """The examples of these images of a part."""
    return LazyExamples(indices, partial(_make_example, pool=pool, part=part))


def _make_example(k: int, *, pool: Pool, part: str) -> Example:
    label = int(pool.labels[k])
    return Example(
        id=f"{part}-{k:05d}",
        images=(Picture(pool.image_path(k)),),
        facts={"kind": "digit", "label": label},
        tags={"kind": "digit", "label": str(label)},
    )


def pool_of_arrays(images: np.ndarray, labels: Sequence[int], *, cache: Path) -> Pool:
    """A pool of grey images (N, H, W) of uint8, saved as PNG files in a folder of `cache` that their content names."""
    content = hashlib.sha256(repr((_VERSION, images.shape)).encode() + images.tobytes()).hexdigest()[:24]
    return Pool(labels, partial(_save_png, images=images, folder=cache / f"png-{content}"))


def _save_png(k: int, *, images: np.ndarray, folder: Path) -> Path:
    path = folder / f"{k // 1000:03d}" / f"{k:05d}.png"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        png = io.BytesIO()
        Image.fromarray(images[k]).save(png, format="PNG")
        write_atomically(path, png.getvalue())
    return path
