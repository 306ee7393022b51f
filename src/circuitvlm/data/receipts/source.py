"""Generate receipts in the fields of CORD v2, and keep them on disk.

A split is the first `count` distinct receipts of an endless series that its name and the seed define; each receipt can
be generated alone. The hash of its answer, and not the seed, decides whether a receipt belongs to training, validation
or test.
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
from circuitvlm.data._reading.settings import check_choice
from circuitvlm.data._reading.source import SplitSource
from circuitvlm.data._reading.splits import GENERATED_SPLITS, generated_split
from circuitvlm.data.receipts.compose import compose
from circuitvlm.data.receipts.layouts import LAYOUTS
from circuitvlm.data.receipts.page import MIN_X_HEIGHT, Sheet, SheetOverflowError
from circuitvlm.data.receipts.photo import photograph
from circuitvlm.data.receipts.sale import Sale, draw_sale

VERSION = 4
"""Raise this whenever the same settings would give other receipts or other pixels: old caches are then left alone."""

MAX_ATTEMPTS = 4000
_SIZE_TRIALS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """The settings that decide every byte of a split; their names and values are the key of its cache."""

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

    def compose(self, layout: str, sale: Sale, rng: random.Random) -> Sheet:
        """The sheet of a sale; noise needs larger letters. Raises SheetOverflowError."""
        width, height = self.width - 2 * self.margin, self.height - 2 * self.margin
        return compose(layout, sale, width=width, height=height, min_x_height=MIN_X_HEIGHT + self.noise, rng=rng)


class Receipts(SplitSource):
    """Generated receipts with their parse.

    `width` and `height` are the size of the pictures in pixels. `noise` is the strength of the photograph: from 0 (a
    clean sheet, grey on white) to 1 (crumpled, on a table, in bad light); a picture has 0.3 to 1 times this strength.
    With `shops: own`, each layout is used by its own kind of shop. With "mixed", any shop uses it: wares, prices,
    currencies, fonts, and the odds of the layout's fields are then the shop's. `part` is "whole", or "strip": items or
    sums alone. `cache` is the folder for the pictures, and `num_workers` processes draw them (0: this one).

    Each of `splits` has its `count`, `items` (least and most), `layouts` (a name that is given twice is used twice as
    often) and `receipts`: the part of all receipts that it draws from, train, validation or test. A split that is null
    is skipped.

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
        num_workers: int,
        splits: Mapping[str, Mapping[str, Any] | None],
    ) -> None:
        if not 0 <= noise <= 1:
            raise ValueError(f"receipts.noise: expected 0 (clean) to 1 (crumpled), got {noise!r}")
        check_choice("receipts.shops", shops, ("own", "mixed"))
        check_choice("receipts.part", part, ("whole", "strip"))
        self.cache = Path(cache).expanduser()
        self.num_workers = num_workers
        make_split = partial(Split, seed=seed, width=width, height=height, noise=float(noise), shops=shops, part=part)
        self._splits = {
            name: make_split(name=name, **_read_settings(settings, key=f"receipts.splits.{name}"))
            for name, settings in splits.items()
            if settings is not None
        }
        for split in self._splits.values():
            _check_size(split)

    def _read_split(self, split: str) -> Sequence[Example]:
        """The examples of a split, generated now if they are not on disk yet."""
        settings = self._splits[split]
        folder = chunks.prepare_split(
            self.cache,
            settings,
            version=VERSION,
            source="receipts",
            split=split,
            make_item=partial(_make_item, settings),
            select_distinct=_select_distinct,
            count=settings.count,
            num_workers=self.num_workers,
        )
        return chunks.read_examples(folder, facts=("kind", "answer"))


@dataclass(frozen=True, slots=True)
class GeneratedReceipt:
    """A receipt with everything that decides its pixels; `seed` is its series and the number of the attempt."""

    sale: Sale
    layout: str
    sheet: Sheet
    split: Split
    seed: tuple[str, int]

    def image(self) -> Image.Image:
        """The picture, `width` x `height`: grey without noise, else in colour with a palette."""
        rng = random.Random(f"{self.seed} photo")
        return photograph(
            self.sheet.render(margin=self.split.margin),
            width=self.split.width,
            height=self.split.height,
            margin=self.split.margin,
            strength=self.split.noise * rng.uniform(0.3, 1),
            seed=rng.getrandbits(64),
        )


def generate_receipt(split: Split, index: int) -> GeneratedReceipt:
    """Number `index` of the split's series: the first legible receipt that belongs to the split.

    Raises ValueError if no attempt gives one.
    """
    series = f"{split.seed}/{split.name}/{index}"
    layout = random.Random(series).choice(split.layouts)
    for attempt in range(MAX_ATTEMPTS):
        rng = random.Random(f"{series}/{attempt}")
        sale = _draw_sale(split, layout, items=split.items, rng=rng)
        if generated_split(sale.answer) != split.receipts:
            continue
        try:
            sheet = split.compose(layout, sale, rng)
        except SheetOverflowError:
            continue
        return GeneratedReceipt(sale, layout, sheet, split, (series, attempt))
    raise ValueError(
        f"receipts.splits.{split.name}: expected a legible {layout} receipt of {split.items} items at {split.width} x "
        f"{split.height} pixels, got none in {MAX_ATTEMPTS} attempts; lower the items, or raise width and height"
    )


def _draw_sale(split: Split, layout: str, *, items: tuple[int, int], rng: random.Random) -> Sale:
    """A sale whose fields the layout can show, or the part of one that a strip shows."""
    shop_name, shop = layout, LAYOUTS[layout].shop
    if split.shops == "mixed":
        shop_name = rng.choice(list(LAYOUTS))
        other_shop = LAYOUTS[shop_name].shop
        odds = {field: other_shop.odds.get(field, chance) for field, chance in shop.odds.items()}
        shop = replace(other_shop, max_items=shop.max_items, odds=odds)
    sale = draw_sale(shop_name, shop, items=items, rng=rng)
    return sale.draw_strip(rng) if split.part == "strip" else sale


def _read_settings(settings: Mapping[str, Any], *, key: str) -> dict[str, Any]:
    """The settings of one split, of the types that Split has. Raises ValueError for wrong ones."""
    expected_keys = {"count", "items", "layouts", "receipts"}
    if set(settings) != expected_keys:
        raise ValueError(f"{key}: expected {', '.join(sorted(expected_keys))}, got {', '.join(sorted(settings))}")
    items = settings["items"]
    if not isinstance(items, Sequence) or len(items) != 2 or any(type(item) is not int for item in items):
        raise ValueError(f"{key}.items: expected least and most, such as [1, 3], got {items!r}")
    low, high = items
    layouts = (settings["layouts"],) if isinstance(settings["layouts"], str) else tuple(settings["layouts"])
    for layout in layouts:
        check_choice(f"{key}.layouts", layout, LAYOUTS)
        max_items = LAYOUTS[layout].shop.max_items
        if not 1 <= low <= min(high, max_items):
            raise ValueError(
                f"{key}.items: expected least and most, at least 1, and for {layout} at most {max_items} as the least, "
                f"got {[low, high]}"
            )
    if not layouts:
        raise ValueError(f"{key}.layouts: expected one or more of {', '.join(LAYOUTS)}, got {settings['layouts']!r}")
    check_choice(f"{key}.receipts", settings["receipts"], GENERATED_SPLITS)
    if type(settings["count"]) is not int or settings["count"] < 1:
        raise ValueError(f"{key}.count: expected 1 or more, got {settings['count']!r}")
    return {**settings, "items": (low, high), "layouts": layouts}


def _check_size(split: Split) -> None:
    """Raise ValueError if receipts with the most items are not legible at the split's width and height."""
    for layout in dict.fromkeys(split.layouts):
        count = min(split.items[1], LAYOUTS[layout].shop.max_items)
        for trial in range(_SIZE_TRIALS):
            rng = random.Random(f"room {trial}")
            try:
                split.compose(layout, _draw_sale(split, layout, items=(count, count), rng=rng), rng)
            except SheetOverflowError:
                continue
            break
        else:
            raise ValueError(
                f"receipts.splits.{split.name}: expected legible {layout} receipts of {count} items, got too small "
                f"letters at {split.width} x {split.height} pixels; lower the items, or raise width and height"
            )


def _make_item(split: Split, index: int) -> tuple[chunks.Row, bytes]:
    """The row and the PNG of number `index` of the split's series."""
    receipt = generate_receipt(split, index)
    file = io.BytesIO()
    receipt.image().save(file, format="PNG", compress_level=3)
    row = {
        "id": f"{split.name}-{index:06d}",
        "kind": "extract",
        "answer": receipt.sale.answer,
        "layout": receipt.layout,
        "money": receipt.sale.money,
        "items": str(len(receipt.sale.items)),
    }
    return row, file.getvalue()


def _select_distinct(rows: Iterable[chunks.Row]) -> list[chunks.Row]:
    """The first row of each answer, at the place of its last row: the order of the caches that exist."""
    return list({row["answer"]: row for row in reversed(list(rows))}.values())[::-1]
