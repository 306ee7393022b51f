"""Where from? Receipts of our own making, in the fields of CORD v2, on disk from the first use on.

A split is the first `count` distinct receipts of an endless series that its name and the seed start; each can be made
alone. Which receipts belong to training, validation or test is told from what they state, never from the seed.
"""

from __future__ import annotations

import io
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from PIL import Image

from circuitvlm.core.record import Example
from circuitvlm.data._reading import chunks
from circuitvlm.data.circuits.drawings import SHARES, share_of
from circuitvlm.data.receipts.compose import compose
from circuitvlm.data.receipts.layouts import LAYOUTS
from circuitvlm.data.receipts.page import LEGIBLE, Sheet, TightError
from circuitvlm.data.receipts.photo import photograph
from circuitvlm.data.receipts.sale import Sale, sale
from circuitvlm.runtime.spelling import suggestion

VERSION = 4
"""Raise this whenever the same settings would give other receipts or other pixels: old caches are then left alone."""

SHOPS, PARTS = ("own", "mixed"), ("whole", "strip")
ATTEMPTS = 4000
_TRIALS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """What decides every byte of a split."""

    name: str
    seed: int
    width: int
    height: int
    noise: float
    shops: str
    part: str
    count: int
    items: tuple[int, int]
    layouts: tuple[str, ...]
    receipts: str

    @property
    def margin(self) -> int:
        """Pixels of paper around the text."""
        return max(5, self.width // 32)

    @property
    def legible(self) -> float:
        """The least height of an x in pixels: what blurs letters asks for larger ones."""
        return LEGIBLE + self.noise


class Receipts:
    """Generated receipts with their parse.

    `width` and `height` are the size of the pictures, `noise` how they are taken: from 0 (a clean sheet, grey on white)
    to 1 (crumpled, on a table, in bad light; each picture has between 0.3 and 1 of it). With `shops` own, a layout is
    used by its own kind of shop; with mixed, by any: what is sold, for how much and in which money, the fonts, and how
    often a field of the layout is printed are then the shop's. `part` is whole, or strip: items or sums alone. `cache`
    is the folder they are kept in, `workers` the number of processes that draw them (0: this one). Each split states
    `count`, `items` (least and most), `layouts` (names; one given twice is drawn twice as often) and `receipts` (train,
    validation or test: the share of all receipts that it draws from); one that is null is left out.

    Facts: `kind` (extract) and `answer`, the compact JSON text of the parse. Tags: kind, layout, money (currency and
    number style) and items.
    """

    def __init__(
        self,
        *,
        seed: int,
        width: int,
        height: int,
        noise: float,
        shops: Literal["own", "mixed"],
        part: Literal["whole", "strip"],
        cache: str,
        workers: int,
        splits: Mapping[str, Mapping[str, Any] | None],
    ) -> None:
        if not 0 <= noise <= 1:
            raise ValueError(f"receipts: noise is {noise}; wanted 0 (clean) to 1 (crumpled)")
        for key, value, known in (("shops", shops, SHOPS), ("part", part, PARTS)):
            if value not in known:
                raise ValueError(f"receipts: {key} is {value!r}; wanted {' or '.join(known)}")
        self.cache = Path(cache).expanduser()
        self.workers = workers
        self._splits = {
            name: _split(
                name, settings, seed=seed, width=width, height=height, noise=float(noise), shops=shops, part=part
            )
            for name, settings in splits.items()
            if settings is not None
        }
        for split in self._splits.values():
            _check_room(split)

    def splits(self) -> tuple[str, ...]:
        """The names of the splits, in the order of the configuration."""
        return tuple(self._splits)

    def examples(self, split: str) -> Sequence[Example]:
        """The examples of a split; drawn now if they are not on disk yet."""
        if split not in self._splits:
            raise ValueError(f"receipts: no split {split!r}; there are {', '.join(self._splits)}")
        settings = self._splits[split]
        folder = chunks.kept(
            self.cache,
            settings,
            version=VERSION,
            source="receipts",
            split=split,
            make=partial(_make, settings),
            distinct=_distinct,
            count=settings.count,
            workers=self.workers,
        )
        return chunks.Examples(folder, facts=("kind", "answer"))


@dataclass(frozen=True, slots=True)
class Drawn:
    """A receipt with all that decides its pixels."""

    sale: Sale
    layout: str
    sheet: Sheet
    split: Split
    seed: tuple[str, int]

    def image(self) -> Image.Image:
        """The picture, `width` x `height`: grey where it is clean, else in colour by a palette."""
        rng = random.Random(f"{self.seed} photo")
        return photograph(
            self.sheet.printed(margin=self.split.margin),
            width=self.split.width,
            height=self.split.height,
            margin=self.split.margin,
            strength=self.split.noise * rng.uniform(0.3, 1),
            seed=rng.getrandbits(64),
        )


def drawn(split: Split, index: int) -> Drawn:
    """Number `index` of the split's series: the first legible receipt of the split's share."""
    series = f"{split.seed}/{split.name}/{index}"
    layout = random.Random(series).choice(split.layouts)
    for attempt in range(ATTEMPTS):
        rng = random.Random(f"{series}/{attempt}")
        sold = _sold(split, layout, items=split.items, rng=rng)
        if share_of(sold.answer) != split.receipts:
            continue
        try:
            sheet = _set(split, layout, sold, rng)
        except TightError:
            continue
        return Drawn(sold, layout, sheet, split, (series, attempt))
    raise ValueError(
        f"receipts: split {split.name!r} found no legible {layout} receipt of {split.items} items at {split.width} x "
        f"{split.height} in {ATTEMPTS} tries; ask for fewer items, or for larger pictures"
    )


def _sold(split: Split, layout: str, *, items: tuple[int, int], rng: random.Random) -> Sale:
    """A sale whose fields the layout can show, or the part of one that a strip shows."""
    shop, kind = layout, LAYOUTS[layout].shop
    if split.shops == "mixed":
        shop = rng.choice(list(LAYOUTS))
        own = LAYOUTS[shop].shop
        odds = {field: own.odds.get(field, chance) for field, chance in kind.odds.items()}
        kind = replace(own, most=kind.most, odds=odds)
    sold = sale(shop, kind, items=items, rng=rng)
    return sold.strip(rng) if split.part == "strip" else sold


def _set(split: Split, layout: str, sold: Sale, rng: random.Random) -> Sheet:
    width, height = (side - 2 * split.margin for side in (split.width, split.height))
    return compose(layout, sold, width=width, height=height, legible=split.legible, rng=rng)


def _split(
    name: str,
    settings: Mapping[str, Any],
    *,
    seed: int,
    width: int,
    height: int,
    noise: float,
    shops: str,
    part: str,
) -> Split:
    """The settings of one split, read strictly."""
    wanted = {"count", "items", "layouts", "receipts"}
    if set(settings) != wanted:
        raise ValueError(f"receipts: split {name!r} states {sorted(settings)}, wanted {sorted(wanted)}")
    low, high = _least_and_most(settings["items"], name=name)
    layouts = (settings["layouts"],) if isinstance(settings["layouts"], str) else tuple(settings["layouts"])
    for layout in layouts:
        if layout not in LAYOUTS:
            raise ValueError(
                f"receipts: split {name!r} has the layout {layout!r}; there are {', '.join(LAYOUTS)}."
                f"{suggestion(layout, LAYOUTS)}"
            )
        if not 1 <= low <= min(high, LAYOUTS[layout].shop.most):
            raise ValueError(
                f"receipts: split {name!r} has items {[low, high]}; wanted least and most, at least 1, and for "
                f"{layout} at most {LAYOUTS[layout].shop.most} as the least"
            )
    if not layouts:
        raise ValueError(f"receipts: split {name!r} states no layouts, wanted some of {', '.join(LAYOUTS)}")
    if settings["receipts"] not in list(SHARES):
        raise ValueError(f"receipts: split {name!r} has receipts {settings['receipts']!r}, wanted {list(SHARES)}")
    if type(settings["count"]) is not int or settings["count"] < 1:
        raise ValueError(f"receipts: split {name!r} has count {settings['count']!r}, wanted 1 or more")
    return Split(
        name=name,
        seed=seed,
        width=width,
        height=height,
        noise=noise,
        shops=shops,
        part=part,
        count=settings["count"],
        items=(low, high),
        layouts=layouts,
        receipts=settings["receipts"],
    )


def _least_and_most(items: Any, *, name: str) -> tuple[int, int]:
    """Two whole numbers. Raises ValueError for anything else."""
    if not isinstance(items, Sequence) or len(items) != 2 or any(type(item) is not int for item in items):
        raise ValueError(f"receipts: split {name!r} has items {items!r}; wanted least and most, such as [1, 3]")
    return items[0], items[1]


def _check_room(split: Split) -> None:
    """Raises ValueError where receipts of the most items would not be legible at this size."""
    for layout in dict.fromkeys(split.layouts):
        most = min(split.items[1], LAYOUTS[layout].shop.most)
        for trial in range(_TRIALS):
            rng = random.Random(f"room {trial}")
            try:
                _set(split, layout, _sold(split, layout, items=(most, most), rng=rng), rng)
            except TightError:
                continue
            break
        else:
            raise ValueError(
                f"receipts: split {split.name!r}: a {layout} receipt of {most} items is not legible at {split.width} x "
                f"{split.height} pixels; ask for fewer items, or for larger pictures"
            )


def _make(split: Split, index: int) -> tuple[chunks.Row, bytes]:
    """Number `index` of the split's series: its row and its picture."""
    made = drawn(split, index)
    file = io.BytesIO()
    made.image().save(file, format="PNG", compress_level=3)
    row = {
        "id": f"{split.name}-{index:06d}",
        "kind": "extract",
        "answer": made.sale.answer,
        "layout": made.layout,
        "money": made.sale.money,
        "items": str(len(made.sale.items)),
    }
    return row, file.getvalue()


def _distinct(rows: Iterable[chunks.Row]) -> list[chunks.Row]:
    """Each parse once, the first that came."""
    return list({row["answer"]: row for row in reversed(list(rows))}.values())[::-1]
