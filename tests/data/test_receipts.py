"""Test that generated receipts are legible, complete, exact in their sums, and the same for the same seed."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from fontTools import agl
from fontTools.ttLib import TTFont
from matplotlib import get_data_path
from PIL import Image, ImageDraw
from scipy import ndimage

from circuitvlm.data._reading import chunks
from circuitvlm.data.receipts import GeneratedReceipt, Receipts, Split, generate_receipt, page, photo
from circuitvlm.data.receipts.layouts import LAYOUTS
from circuitvlm.data.receipts.money import MONEY

CONF = Path(__file__).parents[2] / "conf" / "data" / "receipts.yaml"
CORD = {
    "menu": "nm num unitprice cnt discountprice price itemsubtotal vatyn etc sub",
    "sub": "nm unitprice cnt price etc",
    "void_menu": "nm price",
    "sub_total": "subtotal_price discount_price service_price othersvc_price tax_price etc",
    "total": "total_price total_etc cashprice changeprice creditcardprice emoneyprice menutype_cnt menuqty_cnt",
}


def source(
    cache: Path,
    *,
    seed: int = 0,
    width: int = 224,
    height: int = 320,
    noise: float = 0.5,
    shops: Any = "own",
    part: Any = "whole",
    num_workers: int = 0,
    **splits: dict[str, Any] | None,
) -> Receipts:
    return Receipts(
        seed=seed,
        width=width,
        height=height,
        noise=noise,
        shops=shops,
        part=part,
        cache=str(cache),
        num_workers=num_workers,
        splits=splits,
    )


def split_settings(count: int = 12, receipts: str = "train", **settings: Any) -> dict[str, Any]:
    return {"count": count, "items": [1, 3], "layouts": ["cafe", "hotel"], "receipts": receipts} | settings


def split(layout: str, *, large: bool = False, noise: float = 0.5, shops: str = "own", part: str = "whole") -> Split:
    width, height, items = (800, 1400, (1, 20)) if large else (224, 320, (1, 3))
    items = (1, min(items[1], LAYOUTS[layout].shop.max_items))
    settings = {"seed": 3, "count": 1, "layouts": (layout,), "receipts": "train", "shops": shops, "part": part}
    return Split(name="t", width=width, height=height, noise=noise, items=items, **settings)


@pytest.fixture(scope="module")
def receipts() -> list[GeneratedReceipt]:
    """Small and large receipts of every layout."""
    small = [generate_receipt(split(layout), index) for layout in LAYOUTS for index in range(25)]
    return small + [generate_receipt(split(layout, large=True), index) for layout in LAYOUTS for index in range(6)]


def leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner)
    else:
        yield value


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


# ------------------------------------------------------------------------------------------------------------ the truth


def test_every_field_is_one_of_cord_and_every_leaf_a_text(receipts: list[GeneratedReceipt]) -> None:
    fields: Counter[str] = Counter()
    for receipt in receipts:
        parse = json.loads(receipt.sale.answer)
        assert receipt.sale.answer == json.dumps(parse, ensure_ascii=False, separators=(",", ":"))
        assert set(parse) <= set(CORD) - {"sub"}
        for section, content in parse.items():
            rows = as_list(content)
            assert not (isinstance(content, list) and len(content) == 1), "one item is no list"
            for row in rows:
                assert set(row) <= set(CORD[section].split()), row
                fields.update(f"{section}.{field}" for field in row)
                for sub in as_list(row.get("sub", [])):
                    assert set(sub) <= set(CORD["sub"].split())
                    fields.update(f"sub.{field}" for field in sub)
        assert all(isinstance(leaf, str) and leaf == leaf.strip() and leaf for leaf in leaves(parse))
    rare = {"sub_total.etc", "total.total_etc", "sub.unitprice", "sub.etc"}
    expected_fields = {f"{section}.{field}" for section, names in CORD.items() for field in names.split()} - rare
    assert expected_fields == set(fields)


def amount(text: str, *, digits: int) -> int:
    """An amount in its smallest unit."""
    number = re.sub(r",-$", "", text.lstrip(":@"))
    value = int(re.sub(r"\D", "", number))
    assert re.search(r"\d[.,]\d{2}\D*$", number) if digits else not re.search(r"\d[.,]\d{2}\D*$", number)
    return -value if "-" in number else value


def test_the_sums_are_exact(receipts: list[GeneratedReceipt]) -> None:
    for receipt in receipts:
        digits = MONEY[receipt.sale.money].decimals
        value = {k: amount(v, digits=digits) for k, v in receipt.sale.parse.get("sub_total", {}).items()}
        total = receipt.sale.parse["total"]
        amounts = {k: amount(v, digits=digits) for k, v in total.items() if not k.endswith("_cnt")}
        items = 0
        for item in receipt.sale.items:
            price = amount(item["price"], digits=digits)
            net_price = price + (amount(item["discountprice"], digits=digits) if "discountprice" in item else 0)
            assert amount(item.get("itemsubtotal", "0.00" if digits else "0"), digits=digits) in (0, net_price)
            if "unitprice" in item and receipt.layout == "petrol":
                assert abs(amount(item["unitprice"], digits=digits) * float(item["cnt"]) - price) < 0.51
            elif "unitprice" in item:
                count = int(float(item["cnt"].strip("x ").removesuffix(".00"))) if "cnt" in item else 1
                assert amount(item["unitprice"], digits=digits) * count == price
            subs = as_list(item.get("sub", []))
            items += net_price + sum(amount(sub["price"], digits=digits) for sub in subs if "price" in sub)
        assert value.pop("subtotal_price", items) == items
        assert items + sum(value.values()) == amounts["total_price"]
        assert amounts.get("discount_price", 0) <= 0
        if "cashprice" in amounts:
            assert amounts["cashprice"] - amounts["changeprice"] == amounts["total_price"] <= amounts["cashprice"]
        for field in ("creditcardprice", "emoneyprice"):
            assert amounts.get(field, amounts["total_price"]) == amounts["total_price"]


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("rupiah_dot", 60_000, "60.000"),
        ("rupiah_comma", 1_234_500, "1,234,500"),
        ("rupiah_sign", -60_000, "-Rp 60.000"),
        ("rupiah_dash", 500, "500,-"),
        ("rupiah_cents", 6_000_000, "IDR 60,000.00"),
        ("dollar", 1250, "$12.50"),
        ("dollar", 5, "$0.05"),
        ("euro", 123_450, "1.234,50 EUR"),
        ("yen", 0, "¥0"),
    ],
)
def test_amounts_are_written_as_the_style_has_them(name: str, value: int, text: str) -> None:
    assert MONEY[name].format_currency(value) == text


# ---------------------------------------------------------------------------------------------------------- the picture


def test_every_leaf_is_printed_as_that_text(monkeypatch: pytest.MonkeyPatch, receipts: list[GeneratedReceipt]) -> None:
    texts: list[str] = []
    print_one = ImageDraw.ImageDraw.text

    def record_text(self: Any, xy: Any, text: str, *args: Any, **kwargs: Any) -> None:
        texts.append(text)
        print_one(self, xy, text, *args, **kwargs)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", record_text)
    for receipt in receipts:
        texts.clear()
        receipt.sheet.render(margin=receipt.split.margin)
        there = Counter(texts)
        for leaf, count in Counter(leaves(receipt.sale.parse)).items():
            assert there[leaf] >= count or in_lines(leaf, there), f"{leaf!r} is not printed {count} times: {texts}"


def in_lines(leaf: str, there: Counter[str]) -> bool:
    """Whether a text was printed in several lines, broken at spaces."""
    words = leaf.split(" ")
    heads = ((" ".join(words[:k]), " ".join(words[k:])) for k in range(1, len(words)))
    return there[leaf] > 0 or any(there[head] and in_lines(tail, there) for head, tail in heads)


def test_nothing_overlaps_and_nothing_is_cut_off(receipts: list[GeneratedReceipt]) -> None:
    for receipt in receipts:
        sheet, boxes = receipt.sheet, []
        for ink in sheet.texts:
            font = page._font(ink.file, ink.size)
            x0, top, right, bottom = font.getbbox(ink.text)
            box = (ink.x + x0, ink.y + top, ink.x + right, ink.y + bottom)
            spare = receipt.split.margin // 2  # letters such as J lean out of their own box
            assert box[0] >= -spare, ink
            assert box[2] <= sheet.width + spare, ink
            assert box[1] >= -spare, ink
            assert box[3] <= sheet.y + spare, ink
            boxes.append((box, ink))
        for (a, first), (b, second) in combinations(boxes, 2):
            overlap_x = min(a[2], b[2]) - max(a[0], b[0])
            overlap_y = min(a[3], b[3]) - max(a[1], b[1])
            assert overlap_x <= 0 or overlap_y <= 0.1 * sheet.size, f"{first} and {second}"
        area = receipt.split.width - 2 * receipt.split.margin, receipt.split.height - 2 * receipt.split.margin
        assert sheet.width <= area[0]
        assert sheet.y <= area[1]


def test_letters_are_large_enough(receipts: list[GeneratedReceipt]) -> None:
    for receipt in receipts:
        smallest = min(ink.size for ink in receipt.sheet.texts)
        assert smallest * receipt.sheet.face.x_height >= page.MIN_X_HEIGHT + receipt.split.noise
        assert smallest == receipt.sheet.size


def test_fonts_have_all_that_is_printed_and_no_other_letter_in_its_place(receipts: list[GeneratedReceipt]) -> None:
    used: dict[str, set[str]] = {}
    for receipt in receipts:
        for ink in receipt.sheet.texts:
            used.setdefault(ink.file, set()).update(ink.text)
    assert len(used) >= 7
    assert {"¥", "£"} <= set().union(*used.values())
    for file, letters in used.items():
        has = TTFont(Path(get_data_path(), "fonts", "ttf", file), lazy=True).getBestCmap()
        unicode_letters = {letter: agl.toUnicode(has.get(ord(letter), "")) for letter in letters - {" "}}
        assert {letter: name for letter, name in unicode_letters.items() if name != letter} == {}, file


@pytest.mark.parametrize("size", [(224, 320), (800, 1400)])
def test_however_it_is_bent_the_text_stays_in_the_picture(size: tuple[int, int]) -> None:
    margin, width, height = size[0] // 32, *size
    for seed in range(25):
        rng = np.random.default_rng(seed)
        paper = Image.new("L", (width - int(rng.integers(width // 2)), height - int(rng.integers(height // 2))), 255)
        pen, mark = ImageDraw.Draw(paper), 6
        for x in (margin, paper.width - margin - mark):
            for y in (margin, paper.height - margin - mark):
                pen.rectangle((x, y, x + mark - 1, y + mark - 1), fill=0)
        fold = photo._folds(width, height, strength=1.0, rng=rng)
        image = photo._bend(paper, fold, width=width, height=height, margin=margin, strength=1.0, rng=rng)
        values = np.asarray(image)
        assert values.shape == (height, width)
        regions, count = ndimage.label((values > 40) & (values < 160))
        sizes = [int(s) for s in ndimage.sum_labels(regions > 0, regions, range(1, count + 1)) if s >= 12]
        assert len(sizes) == 4, (seed, sizes)


def test_a_projection_takes_each_point_to_its_own() -> None:
    rng = np.random.default_rng(0)
    source_points, target_points = np.array([[0, 0], [9, 1], [8, 7], [1, 6]]) + rng.normal(0, 0.3, (2, 4, 2))
    assert np.allclose(photo._project(photo._homography(source_points, target_points), source_points), target_points)


def test_a_clean_sheet_is_grey_on_white_and_a_photograph_is_not() -> None:
    clean, photo_image = (generate_receipt(split("cafe", noise=noise), 1).image() for noise in (0.0, 1.0))
    assert clean.mode == "L"
    assert clean.size == photo_image.size == (224, 320)
    assert np.bincount(np.asarray(clean).ravel())[255] > 0.7 * 224 * 320
    assert photo_image.mode == "P"
    assert np.asarray(photo_image.convert("RGB")).std(axis=-1).max() > 2
    assert len(np.unique(np.asarray(photo_image))) > 20


# ----------------------------------------------------------------------------------------------------------- the splits


def content(receipts: Receipts, name: str) -> list[Any]:
    return [
        (e.id, dict(e.facts), dict(e.tags), hashlib.sha256(e.images[0].path.read_bytes()).hexdigest())
        for e in receipts.examples(name)
    ]


def test_workers_make_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = content(source(tmp_path / "a", train=split_settings(6)), "train")
    monkeypatch.setattr(chunks, "CHUNK", 3)
    assert content(source(tmp_path / "b", num_workers=2, train=split_settings(6)), "train") == alone
    assert content(source(tmp_path / "c", seed=1, train=split_settings(6)), "train") != alone
    assert alone[0][2] == {"kind": "extract", "layout": alone[0][2]["layout"], "money": alone[0][2]["money"],
                           "items": str(len(as_list(json.loads(alone[0][1]["answer"])["menu"])))}  # fmt: skip


def test_one_receipt_lies_in_one_share_only(tmp_path: Path) -> None:
    settings = {"layouts": ["petrol"], "items": [1, 1], "count": 40}
    splits = {name: split_settings(receipts=name, **settings) for name in ("train", "validation", "test")}
    receipts = source(tmp_path, noise=0.0, **splits)
    answers = [{example.facts["answer"] for example in receipts.examples(name)} for name in receipts.splits()]
    assert [len(split) for split in answers] == [40, 40, 40]
    assert all(not a & b for a, b in combinations(answers, 2))


def test_layouts_come_as_often_as_they_are_named(tmp_path: Path) -> None:
    settings = split_settings(80, layouts=["cafe", "cafe", "cafe", "kiosk"])
    examples = source(tmp_path, noise=0.0, train=settings).examples("train")
    assert 0.6 < sum(example.tags["layout"] == "cafe" for example in examples) / 80 < 0.9


def test_the_yaml_keeps_layouts_for_the_test() -> None:
    splits = yaml.safe_load(CONF.read_text())["splits"]
    unseen = set(splits["test_unseen"]["layouts"])
    assert unseen
    assert not any(unseen & set(splits[name]["layouts"]) for name in ("train", "validation", "test_seen"))
    assert unseen | set(splits["train"]["layouts"]) == set(LAYOUTS)
    assert {name: settings["receipts"] for name, settings in splits.items()} == {
        "train": "train", "validation": "validation", "test_seen": "test", "test_unseen": "test",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (split_settings() | {"colour": 1}, r"splits\.train: expected count, .* got colour"),
        (split_settings(receipts="all"), "receipts: expected .*, got 'all'"),
        (split_settings(layouts=["caffe"]), "layouts: expected .*, got 'caffe'. Did you mean 'cafe'"),
        (split_settings(layouts=[]), "layouts: expected one or more"),
        (split_settings(count=0), "count: expected 1 or more, got 0"),
        (split_settings(count="abc"), "got 'abc'"),
        (split_settings(items=3), r"items: expected least and most, such as \[1, 3\], got 3"),
        (split_settings(items=["a", "b"]), "items: expected least and most"),
        (split_settings(items=[1, 2, 3]), "items: expected least and most"),
        (split_settings(receipts=["train"]), r"receipts: .* got \['train'\]"),
        (split_settings(items=[3, 2]), "least and most"),
        (split_settings(layouts=["petrol"], items=[3, 4]), "for petrol at most 2"),
        (split_settings(items=[1, 20]), "expected legible cafe receipts of 20 items, .* at 224 x 320"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        source(tmp_path, train=settings)


def test_a_split_that_is_null_is_left_out_and_one_layout_may_stand_alone(tmp_path: Path) -> None:
    receipts = source(tmp_path, train=split_settings(2, layouts="kiosk"), test=None)
    assert receipts.splits() == ("train",)
    assert {example.tags["layout"] for example in receipts.examples("train")} == {"kiosk"}


@pytest.mark.parametrize(("width", "height"), [(112, 320), (224, 110), (40, 40)])
def test_sizes_at_which_letters_are_not_legible_are_refused(tmp_path: Path, width: int, height: int) -> None:
    with pytest.raises(ValueError, match=f"expected legible .* at {width} x {height} pixels"):
        source(tmp_path, width=width, height=height, noise=0.0, a=split_settings())


def test_noise_and_splits_that_are_none_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"noise: expected 0 .* got 2"):
        source(tmp_path, noise=2, train=split_settings())
    with pytest.raises(ValueError, match="expected a split of train, got 'tset'"):
        source(tmp_path, train=split_settings()).examples("tset")


# --------------------------------------------------------------------------------------------- shops, and what is shown


def is_printed(receipt: GeneratedReceipt) -> bool:
    """Whether every word of every field is on the sheet."""
    there = {word for ink in receipt.sheet.texts for word in ink.text.split()}
    return {word for leaf in leaves(receipt.sale.parse) for word in leaf.split()} <= there


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_strip_shows_items_or_sums_and_nothing_else(layout: str) -> None:
    samples = [
        generate_receipt(replace(split(layout, noise=0.0, part="strip"), items=(1, 1), height=84), k) for k in range(20)
    ]
    assert {frozenset(receipt.sale.parse) & {"menu", "total"} for receipt in samples} == {
        frozenset({"menu"}),
        frozenset({"total"}),
    }
    for receipt in samples:
        assert is_printed(receipt)
        assert not {"VOID", "www.example.com"} & {ink.text for ink in receipt.sheet.texts}


def test_mixed_shops_sell_their_own_wares_in_any_layout() -> None:
    samples = [generate_receipt(split("kiosk", noise=0.0, shops="mixed"), k) for k in range(80)]
    assert {receipt.sale.shop for receipt in samples} == set(LAYOUTS)


def test_no_training_layout_sets_a_row_as_the_kiosk_does() -> None:
    """Price, name, count from left to right, or price and name alone, is what only the test shows."""
    for k in range(60):
        receipt = generate_receipt(split("market", noise=0.0, shops="mixed"), k)
        item = receipt.sale.items[0]
        starts = [
            (text.text, text.x) for text in receipt.sheet.texts if text.text in (item["price"], item["nm"].split()[0])
        ]
        x = {text: min(x for word, x in starts if word == text) for text, _ in starts}
        if len(x) == 2 and x[item["price"]] < x[item["nm"].split()[0]]:
            assert "cnt" in item
            assert min(i.x for i in receipt.sheet.texts if i.text == item["cnt"]) < x[item["nm"].split()[0]]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_whatever_shop_uses_a_layout_all_its_fields_are_printed(layout: str) -> None:
    assert all(is_printed(generate_receipt(split(layout, noise=0.0, shops="mixed"), k)) for k in range(40))


@pytest.mark.parametrize("odd", [{"shops": "any"}, {"part": "half"}])
def test_other_words_for_shops_and_part_are_refused(odd: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"expected \w+ or \w+"):
        source(tmp_path, a=split_settings(), **odd)  # type: ignore[arg-type] # the settings, not a split
