"""Which images of digits are there, and which of them does a split take? A part's own, dealt by their own hash."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from circuitvlm.core.record import Example, Picture
from circuitvlm.data._reading.chunks import Lazy
from circuitvlm.runtime.spelling import suggestion

_VERSION = 1
"""Raise this whenever the same pixels would become another file: old caches are then left alone."""


@dataclass(frozen=True, slots=True)
class Pool:
    """The images of one part: their labels (0 to 9), and where number k lies on disk, written there when asked for."""

    labels: Sequence[int]
    picture: Callable[[int], Path]


@dataclass(frozen=True, slots=True)
class Split:
    """How many images a split takes of its part (None: all that are left), behind those that others have taken."""

    part: str
    count: int | None


class Dealt(Lazy):
    """The examples of one split."""

    def __init__(self, pool: Pool, places: Sequence[int], *, part: str) -> None:
        self.pool, self.places, self.part = pool, places, part

    def __len__(self) -> int:
        return len(self.places)

    def one(self, place: int) -> Example:
        k = self.places[place]
        label = int(self.pool.labels[k])
        return Example(
            id=f"{self.part}-{k:05d}",
            images=(Picture(self.pool.picture(k)),),
            facts={"kind": "digit", "label": label},
            tags={"kind": "digit", "label": str(label)},
        )


def splits_of(settings: Mapping[str, Mapping[str, object] | None], *, parts: Sequence[str]) -> dict[str, Split]:
    """The splits as they are stated, read strictly; one that is null is left out. Raises ValueError."""
    found: dict[str, Split] = {}
    ended: dict[str, str] = {}
    for name, stated in settings.items():
        if stated is None:
            continue
        part, count = stated.get("part"), stated.get("count")
        if set(stated) - {"part", "count"} or part not in parts:
            raise ValueError(
                f"digits: split {name!r} states {dict(stated)}; wanted its part ({', '.join(parts)}) and, unless it "
                f"takes all that is left, a count.{suggestion(str(part), parts)}"
            )
        if count is not None and (not isinstance(count, int) or count < 1):
            raise ValueError(f"digits: split {name!r} has count {count!r}, wanted 1 or more")
        if part in ended:
            raise ValueError(
                f"digits: split {name!r} comes after {ended[part]!r}, which takes all that is left of {part}"
            )
        if count is None:
            ended[str(part)] = name
        found[name] = Split(str(part), count)
    return found


def dealt(name: str, *, splits: Mapping[str, Split], size: int, seed: int | None, begin: int) -> list[int]:
    """The places in its part that a split takes; no two splits take the same one.

    A part of `size` images stands in a circle whose order the seed gives, the same on every machine, or where it is
    None in its own, and its splits take theirs one after the other from number `begin` on. Raises ValueError where
    there are too few.
    """
    own = splits[name]
    before = 0
    for other, split in splits.items():
        if other == name:
            break
        before += (split.count or 0) if split.part == own.part else 0
    left = size - before
    if left < (own.count or 1):
        raise ValueError(
            f"digits: split {name!r} wants {own.count or 'what is left'} of the part {own.part!r}, which has {size} "
            f"images, and the splits stated before it take {before}"
        )
    order = list(range(size))
    if seed is not None:
        order.sort(key=lambda k: hashlib.sha256(f"{seed} {own.part} {k}".encode()).digest())
    first = (begin + before) % size
    return [*order[first:], *order[:first]][: left if own.count is None else own.count]


def drawn(pixels: np.ndarray, labels: Sequence[int], *, cache: Path) -> Pool:
    """A pool of grey images (N, H, W) of uint8, which become PNG files below `cache` by their content."""
    content = hashlib.sha256(repr((_VERSION, pixels.shape)).encode() + pixels.tobytes()).hexdigest()[:24]
    return Pool(labels, partial(_written, pixels=pixels, home=cache / f"png-{content}"))


def _written(k: int, *, pixels: np.ndarray, home: Path) -> Path:
    path = home / f"{k // 1000:03d}" / f"{k:05d}.png"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        Image.fromarray(pixels[k]).save(temporary, format="PNG")
        os.replace(temporary, path)  # whole or not at all, whoever else writes the same
    return path
