"""Are generated receipts legible, whole, exact in their sums, and the same for the same seed?"""

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
from circuitvlm.data.receipts import Drawn, Receipts, Split, drawn, page, photo
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
    workers: int = 0,
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
        workers=workers,
        splits=splits,
    )


def stated(count: int = 12, receipts: str = "train", **other: Any) -> dict[str, Any]:
    return {"count": count, "items": [1, 3], "layouts": ["cafe", "hotel"], "receipts": receipts} | other


def split(layout: str, *, large: bool = False, noise: float = 0.5, shops: str = "own", part: str = "whole") -> Split:
    width, height, items = (800, 1400, (1, 20)) if large else (224, 320, (1, 3))
    items = (1, min(items[1], LAYOUTS[layout].shop.most))
    settings = {"seed": 3, "count": 1, "layouts": (layout,), "receipts": "train", "shops": shops, "part": part}
    return Split(name="t", width=width, height=height, noise=noise, items=items, **settings)


@pytest.fixture(scope="module")
def many() -> list[Drawn]:
    """Small and large receipts of every layout."""
    small = [drawn(split(layout), index) for layout in LAYOUTS for index in range(25)]
    return small + [drawn(split(layout, large=True), index) for layout in LAYOUTS for index in range(6)]


def leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner)
    else:
        yield value


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


# ------------------------------------------------------------------------------------------------------------ the truth


def test_every_field_is_one_of_cord_and_every_leaf_a_text(many: list[Drawn]) -> None:
    met: Counter[str] = Counter()
    for one in many:
        parse = json.loads(one.sale.answer)
        assert one.sale.answer == json.dumps(parse, ensure_ascii=False, separators=(",", ":"))
        assert set(parse) <= set(CORD) - {"sub"}
        for above, said in parse.items():
            rows = listed(said)
            assert not (isinstance(said, list) and len(said) == 1), "one item is no list"
            for row in rows:
                assert set(row) <= set(CORD[above].split()), row
                met.update(f"{above}.{field}" for field in row)
                for sub in listed(row.get("sub", [])):
                    assert set(sub) <= set(CORD["sub"].split())
                    met.update(f"sub.{field}" for field in sub)
        assert all(isinstance(leaf, str) and leaf == leaf.strip() and leaf for leaf in leaves(parse))
    rare = {"sub_total.etc", "total.total_etc", "sub.unitprice", "sub.etc"}
    wanted = {f"{above}.{field}" for above, fields in CORD.items() for field in fields.split()} - rare
    assert wanted == set(met)


def amount(text: str, *, digits: int) -> int:
    """An amount in its smallest unit."""
    said = re.sub(r",-$", "", text.lstrip(":@"))
    value = int(re.sub(r"\D", "", said))
    assert re.search(r"\d[.,]\d{2}\D*$", said) if digits else not re.search(r"\d[.,]\d{2}\D*$", said)
    return -value if "-" in said else value


def test_the_sums_are_exact(many: list[Drawn]) -> None:
    for one in many:
        digits = MONEY[one.sale.money].digits
        value = {k: amount(v, digits=digits) for k, v in one.sale.parse.get("sub_total", {}).items()}
        total = one.sale.parse["total"]
        paid = {k: amount(v, digits=digits) for k, v in total.items() if not k.endswith("_cnt")}
        items = 0
        for item in one.sale.items:
            price = amount(item["price"], digits=digits)
            after = price + (amount(item["discountprice"], digits=digits) if "discountprice" in item else 0)
            assert amount(item.get("itemsubtotal", "0.00" if digits else "0"), digits=digits) in (0, after)
            if "unitprice" in item and one.layout == "petrol":
                assert abs(amount(item["unitprice"], digits=digits) * float(item["cnt"]) - price) < 0.51
            elif "unitprice" in item:
                count = int(float(item["cnt"].strip("x ").removesuffix(".00"))) if "cnt" in item else 1
                assert amount(item["unitprice"], digits=digits) * count == price
            subs = listed(item.get("sub", []))
            items += after + sum(amount(sub["price"], digits=digits) for sub in subs if "price" in sub)
        assert value.pop("subtotal_price", items) == items
        assert items + sum(value.values()) == paid["total_price"]
        assert paid.get("discount_price", 0) <= 0
        if "cashprice" in paid:
            assert paid["cashprice"] - paid["changeprice"] == paid["total_price"] <= paid["cashprice"]
        for other in ("creditcardprice", "emoneyprice"):
            assert paid.get(other, paid["total_price"]) == paid["total_price"]


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
    assert MONEY[name].signed(value) == text


# ---------------------------------------------------------------------------------------------------------- the picture


def test_every_leaf_is_printed_as_that_text(monkeypatch: pytest.MonkeyPatch, many: list[Drawn]) -> None:
    printed: list[str] = []
    print_one = ImageDraw.ImageDraw.text

    def listening(self: Any, xy: Any, text: str, *given: Any, **named: Any) -> None:
        printed.append(text)
        print_one(self, xy, text, *given, **named)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", listening)
    for one in many:
        printed.clear()
        one.sheet.printed(margin=one.split.margin)
        there = Counter(printed)
        for leaf, count in Counter(leaves(one.sale.parse)).items():
            assert there[leaf] >= count or in_lines(leaf, there), f"{leaf!r} is not printed {count} times: {printed}"


def in_lines(leaf: str, there: Counter[str]) -> bool:
    """Whether a text was printed in several lines, broken at spaces."""
    words = leaf.split(" ")
    heads = ((" ".join(words[:k]), " ".join(words[k:])) for k in range(1, len(words)))
    return there[leaf] > 0 or any(there[head] and in_lines(tail, there) for head, tail in heads)


def test_nothing_overlaps_and_nothing_is_cut_off(many: list[Drawn]) -> None:
    for one in many:
        sheet, boxes = one.sheet, []
        for ink in sheet.ink:
            font = page._font(ink.file, ink.size)
            left, top, right, bottom = font.getbbox(ink.text)
            box = (ink.x + left, ink.y + top, ink.x + right, ink.y + bottom)
            spare = one.split.margin // 2  # letters such as J lean out of their own box
            assert box[0] >= -spare, ink
            assert box[2] <= sheet.width + spare, ink
            assert box[1] >= -spare, ink
            assert box[3] <= sheet.y + spare, ink
            boxes.append((box, ink))
        for (a, first), (b, second) in combinations(boxes, 2):
            across = min(a[2], b[2]) - max(a[0], b[0])
            down = min(a[3], b[3]) - max(a[1], b[1])
            assert across <= 0 or down <= 0.1 * sheet.size, f"{first} and {second}"
        inside = one.split.width - 2 * one.split.margin, one.split.height - 2 * one.split.margin
        assert sheet.width <= inside[0]
        assert sheet.y <= inside[1]


def test_letters_are_large_enough(many: list[Drawn]) -> None:
    for one in many:
        smallest = min(ink.size for ink in one.sheet.ink)
        assert smallest * one.sheet.face.x_height >= page.LEGIBLE + one.split.noise
        assert smallest == one.sheet.size


def test_fonts_have_all_that_is_printed_and_no_other_letter_in_its_place(many: list[Drawn]) -> None:
    used: dict[str, set[str]] = {}
    for one in many:
        for ink in one.sheet.ink:
            used.setdefault(ink.file, set()).update(ink.text)
    assert len(used) >= 7
    assert {"¥", "£"} <= set().union(*used.values())
    for file, letters in used.items():
        has = TTFont(Path(get_data_path(), "fonts", "ttf", file), lazy=True).getBestCmap()
        named = {letter: agl.toUnicode(has.get(ord(letter), "")) for letter in letters - {" "}}
        assert {letter: name for letter, name in named.items() if name != letter} == {}, file


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
        bent = photo._bent(paper, fold, width=width, height=height, margin=margin, strength=1.0, rng=rng)
        values = np.asarray(bent)
        assert values.shape == (height, width)
        found, count = ndimage.label((values > 40) & (values < 160))
        sizes = [int(s) for s in ndimage.sum_labels(found > 0, found, range(1, count + 1)) if s >= 12]
        assert len(sizes) == 4, (seed, sizes)


def test_a_projection_takes_each_point_to_its_own() -> None:
    rng = np.random.default_rng(0)
    one, other = np.array([[0, 0], [9, 1], [8, 7], [1, 6]]) + rng.normal(0, 0.3, (2, 4, 2))
    assert np.allclose(photo._projected(photo._homography(one, other), one), other)


def test_a_clean_sheet_is_grey_on_white_and_a_photograph_is_not() -> None:
    clean, taken = drawn(split("cafe", noise=0.0), 1).image(), drawn(split("cafe", noise=1.0), 1).image()
    assert clean.mode == "L"
    assert clean.size == taken.size == (224, 320)
    assert np.bincount(np.asarray(clean).ravel())[255] > 0.7 * 224 * 320
    assert taken.mode == "P"
    assert np.asarray(taken.convert("RGB")).std(axis=-1).max() > 2
    assert len(np.unique(np.asarray(taken))) > 20


# ----------------------------------------------------------------------------------------------------------- the splits


def content(one: Receipts, name: str) -> list[Any]:
    return [
        (e.id, dict(e.facts), dict(e.tags), hashlib.sha256(e.images[0].path.read_bytes()).hexdigest())
        for e in one.examples(name)
    ]


def test_workers_make_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = content(source(tmp_path / "a", train=stated(6)), "train")
    monkeypatch.setattr(chunks, "CHUNK", 3)
    assert content(source(tmp_path / "b", workers=2, train=stated(6)), "train") == alone
    assert content(source(tmp_path / "c", seed=1, train=stated(6)), "train") != alone
    assert alone[0][2] == {"kind": "extract", "layout": alone[0][2]["layout"], "money": alone[0][2]["money"],
                           "items": str(len(listed(json.loads(alone[0][1]["answer"])["menu"])))}  # fmt: skip


def test_one_receipt_lies_in_one_share_only(tmp_path: Path) -> None:
    few = {"layouts": ["petrol"], "items": [1, 1], "count": 40}
    one = source(
        tmp_path, noise=0.0, **{share: stated(receipts=share, **few) for share in ("train", "validation", "test")}
    )
    answers = [{example.facts["answer"] for example in one.examples(name)} for name in one.splits()]
    assert [len(found) for found in answers] == [40, 40, 40]
    assert all(not a & b for a, b in combinations(answers, 2))


def test_layouts_come_as_often_as_they_are_named(tmp_path: Path) -> None:
    said = stated(80, layouts=["cafe", "cafe", "cafe", "kiosk"])
    many = source(tmp_path, noise=0.0, train=said).examples("train")
    assert 0.6 < sum(example.tags["layout"] == "cafe" for example in many) / 80 < 0.9


def test_the_yaml_keeps_layouts_for_the_test() -> None:
    splits = yaml.safe_load(CONF.read_text())["splits"]
    unseen = set(splits["test_unseen"]["layouts"])
    assert unseen
    assert not any(unseen & set(splits[name]["layouts"]) for name in ("train", "validation", "test_seen"))
    assert unseen | set(splits["train"]["layouts"]) == set(LAYOUTS)
    assert {name: said["receipts"] for name, said in splits.items()} == {
        "train": "train", "validation": "validation", "test_seen": "test", "test_unseen": "test",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (stated() | {"colour": 1}, "'train' states .*colour"),
        (stated(receipts="all"), "receipts 'all'"),
        (stated(layouts=["caffe"]), "layout 'caffe'.* Did you mean 'cafe'"),
        (stated(layouts=[]), "states no layouts"),
        (stated(count=0), "count 0"),
        (stated(count="abc"), "count 'abc'"),
        (stated(items=3), r"items 3; wanted least and most, such as \[1, 3\]"),
        (stated(items=["a", "b"]), "items .* wanted least and most"),
        (stated(items=[1, 2, 3]), "items .* wanted least and most"),
        (stated(receipts=["train"]), r"receipts \['train'\]"),
        (stated(items=[3, 2]), "least and most"),
        (stated(layouts=["petrol"], items=[3, 4]), "for petrol at most 2"),
        (stated(items=[1, 20]), "cafe receipt of 20 items is not legible at 224 x 320"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        source(tmp_path, train=settings)


def test_a_split_that_is_null_is_left_out_and_one_layout_may_stand_alone(tmp_path: Path) -> None:
    one = source(tmp_path, train=stated(2, layouts="kiosk"), test=None)
    assert one.splits() == ("train",)
    assert {example.tags["layout"] for example in one.examples("train")} == {"kiosk"}


@pytest.mark.parametrize(("width", "height"), [(112, 320), (224, 110), (40, 40)])
def test_sizes_at_which_letters_are_not_legible_are_refused(tmp_path: Path, width: int, height: int) -> None:
    with pytest.raises(ValueError, match=f"not legible at {width} x {height} pixels"):
        source(tmp_path, width=width, height=height, noise=0.0, a=stated())


def test_noise_and_splits_that_are_none_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="noise is 2"):
        source(tmp_path, noise=2, train=stated())
    with pytest.raises(ValueError, match="no split 'tset'; there are train"):
        source(tmp_path, train=stated()).examples("tset")


# --------------------------------------------------------------------------------------------- shops, and what is shown


def printed(one: Drawn) -> bool:
    """Whether every word of every field is on the sheet."""
    there = {word for ink in one.sheet.ink for word in ink.text.split()}
    return {word for leaf in leaves(one.sale.parse) for word in leaf.split()} <= there


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_strip_shows_items_or_sums_and_nothing_else(layout: str) -> None:
    made = [drawn(replace(split(layout, noise=0.0, part="strip"), items=(1, 1), height=84), k) for k in range(20)]
    assert {frozenset(one.sale.parse) & {"menu", "total"} for one in made} == {
        frozenset({"menu"}),
        frozenset({"total"}),
    }
    for one in made:
        assert printed(one)
        assert not {"VOID", "www.example.com"} & {ink.text for ink in one.sheet.ink}


def test_mixed_shops_sell_their_own_wares_in_any_layout() -> None:
    made = [drawn(split("kiosk", noise=0.0, shops="mixed"), k) for k in range(80)]
    assert {one.sale.shop for one in made} == set(LAYOUTS)


def test_no_training_layout_sets_a_row_as_the_kiosk_does() -> None:
    """Price, name, count from left to right, or price and name alone, is what only the test shows."""
    for k in range(60):
        one = drawn(split("market", noise=0.0, shops="mixed"), k)
        item = one.sale.items[0]
        x = {text: min(i.x for i in one.sheet.ink if i.text == text) for text in (item["price"], item["nm"].split()[0])
             if any(i.text == text for i in one.sheet.ink)}  # fmt: skip
        if len(x) == 2 and x[item["price"]] < x[item["nm"].split()[0]]:
            assert "cnt" in item
            assert min(i.x for i in one.sheet.ink if i.text == item["cnt"]) < x[item["nm"].split()[0]]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_whatever_shop_uses_a_layout_all_its_fields_are_printed(layout: str) -> None:
    assert all(printed(drawn(split(layout, noise=0.0, shops="mixed"), k)) for k in range(40))


@pytest.mark.parametrize("odd", [{"shops": "any"}, {"part": "half"}])
def test_other_words_for_shops_and_part_are_refused(odd: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"wanted \w+ or \w+"):
        source(tmp_path, a=stated(), **odd)  # type: ignore[arg-type] # the settings, not a split
