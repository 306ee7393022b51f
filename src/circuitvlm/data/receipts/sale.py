"""Draw random sales with exact sums, and the fields that their receipts print."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from circuitvlm.data.receipts.money import MONEY, Money
from circuitvlm.data.receipts.words import ADDITIONS, NOTES, ware

Parse = dict[str, Any]
"""A receipt's fields, nested as in CORD v2; all leaves are texts as they are printed."""

COUNT_FORMATS = ("{}", "{}", "{}x", "{} x", "x{}", "{}.00")
"""How a count is printed: 2, 2x, 2 x, x2, 2.00."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """A kind of shop: `odds` are the probabilities that a receipt prints a field.

    `prices` are the lowest and the highest price in coffees, `currencies` names of MONEY. A receipt has at most
    `max_items` items.
    """

    prices: tuple[float, float]
    currencies: tuple[str, ...]
    max_items: int
    odds: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Sale:
    """A receipt's parse, and what is printed beside it; `rates` are those of tax and service, such as 10%."""

    shop: str
    parse: Parse
    money: str
    language: str
    rates: Mapping[str, str]

    @property
    def answer(self) -> str:
        """The parse as compact JSON."""
        return json.dumps(self.parse, ensure_ascii=False, separators=(",", ":"))

    @property
    def items(self) -> list[dict[str, Any]]:
        """The items of the menu as a list, even if there is one; empty for a strip of sums."""
        menu = self.parse.get("menu", [])
        return menu if isinstance(menu, list) else [menu]

    def draw_strip(self, rng: random.Random) -> Sale:
        """A part of the sale: the items alone, or all other fields."""
        is_menu = rng.random() < 0.6
        return replace(self, parse={key: value for key, value in self.parse.items() if (key == "menu") == is_menu})


@dataclass(slots=True)
class _PrintStyle:
    """The fields that one receipt prints, and the formats of its texts."""

    shop: str
    fields: frozenset[str]
    money: Money
    count_format: str
    unit_prefix: str
    has_currency: bool
    uppercase: bool
    has_colon: bool

    def price(self, amount: int) -> str:
        """A price beside an item: a suffix such as ,- belongs to the number, a currency sign depends on the style."""
        if self.money.suffix == ",-" or self.has_currency:
            return self.money.format_currency(amount)
        return self.money.format_number(amount)

    def sum(self, amount: int) -> str:
        """A sum: with the currency's sign, and in some styles a colon before it."""
        return ":" * self.has_colon + self.money.format_currency(amount)

    def name(self, name: str) -> str:
        """The name of an item."""
        return name.upper() if self.uppercase else name


def draw_sale(shop_name: str, shop: Shop, *, items: tuple[int, int], rng: random.Random) -> Sale:
    """A random sale with least and most items as given, and at most the shop's `max_items`."""
    money_name = rng.choice(shop.currencies)
    money = MONEY[money_name]
    style = _PrintStyle(
        shop=shop_name,
        fields=frozenset(field for field, chance in shop.odds.items() if rng.random() < chance),
        money=money,
        count_format=rng.choice(COUNT_FORMATS),
        unit_prefix=rng.choice(("", "", "@")),
        has_currency=bool(money.prefix) and rng.random() < 0.4,
        uppercase=shop_name == "supermarket" or rng.random() < 0.25,
        has_colon=rng.random() < 0.04,
    )
    low, high = items
    names = _draw_names(rng.randint(low, max(low, min(high, shop.max_items))), style, rng)
    rows, amounts, counts = zip(*[_draw_item(name, shop, style, rng) for name in names], strict=True)
    parse: Parse = {"menu": rows[0] if len(rows) == 1 else list(rows)}
    if "void" in style.fields and len(rows) > 1:
        parse["void_menu"] = _draw_void(shop, style, rng)
    rates = {"service_price": rng.choice((5, 7, 10)), "tax_price": rng.choice((10, 11, 6, 20))}
    subtotals = _subtotals(sum(amounts), rates, style)
    if texts := {field: style.sum(amount) for field, amount in subtotals.items() if field in style.fields}:
        parse["sub_total"] = texts
    parse["total"] = _draw_total(sum(subtotals.values()), counts, style, rng)
    return Sale(shop_name, parse, money_name, money.language, {field: f"{rate}%" for field, rate in rates.items()})


def _draw_names(count: int, style: _PrintStyle, rng: random.Random) -> list[str]:
    """The names of the items, different ones as far as the shop has enough of them."""
    distinct_names = dict.fromkeys(ware(style.shop, rng) for _ in range(8 * count))
    return [style.name(name) for name in [*distinct_names, *(ware(style.shop, rng) for _ in range(count))][:count]]


def _draw_item(name: str, shop: Shop, style: _PrintStyle, rng: random.Random) -> tuple[dict[str, Any], int, int]:
    """One row of the menu, its amount in the smallest unit, and its count."""
    unit = style.money.list_price(rng.uniform(*shop.prices) * rng.choice((0.5, 0.8, 1.0)))
    count = rng.choices((1, 2, 3, 4, 12), (12, 5, 2, 1, 0.3))[0] if {"cnt", "litres"} & style.fields else 1
    row: dict[str, Any] = {"nm": name}
    if "num" in style.fields:
        row["num"] = str(rng.randint(10**5, 10**6 - 1))
    if "unitprice" in style.fields:
        row["unitprice"] = style.unit_prefix + style.price(unit)
    price = unit * count
    if "litres" in style.fields:
        litres = rng.randint(500, 6000)
        price, row["cnt"] = round(unit * litres / 100), f"{litres / 100:.2f}"
    elif "cnt" in style.fields:
        row["cnt"] = style.count_format.format(count)
    has_discount = "discountprice" in style.fields and rng.random() < 0.4
    rate = rng.choice((0.05, 0.1, 0.2, 0.3)) if has_discount else 0.0
    discount = round(price * rate / style.money.step) * style.money.step
    if discount:
        row["discountprice"] = style.money.format_number(-discount)
    row["price"] = style.price(price)
    if discount and "itemsubtotal" in style.fields:
        row["itemsubtotal"] = style.price(price - discount)
    if "vatyn" in style.fields:
        row["vatyn"] = rng.choice("ATV")
    if "etc" in style.fields and rng.random() < 0.3:
        row["etc"] = rng.choice(NOTES)
    has_subs = "sub" in style.fields and rng.random() < 0.5
    return row, price - discount + (_add_subs(row, shop, style, rng) if has_subs else 0), count


def _add_subs(row: dict[str, Any], shop: Shop, style: _PrintStyle, rng: random.Random) -> int:
    """Add one or two additions to an item's row, and return their price."""
    subs, total = [], 0
    for name in rng.sample(ADDITIONS, rng.choice((1, 1, 1, 2))):
        sub = {"nm": style.name(name)}
        if "sub_cnt" in style.fields:
            sub["cnt"] = style.count_format.format(1)
        if "sub_price" in style.fields:
            price = style.money.list_price(shop.prices[0] * rng.uniform(0.2, 0.8))
            sub["price"] = style.price(price)
            total += price
        subs.append(sub)
    row["sub"] = subs[0] if len(subs) == 1 else subs
    return total


def _draw_void(shop: Shop, style: _PrintStyle, rng: random.Random) -> dict[str, str]:
    """A cancelled item, which is not part of the sums."""
    price = style.money.list_price(rng.uniform(*shop.prices))
    return {"nm": _draw_names(1, style, rng)[0], "price": style.money.format_number(-price)}


def _subtotals(amount: int, rates: Mapping[str, int], style: _PrintStyle) -> dict[str, int]:
    """The sums between the items and the total, in the printed order, starting with the items' `amount`."""
    sums = {"subtotal_price": amount}
    if "discount_price" in style.fields:
        sums["discount_price"] = -(round(amount * 0.1 / style.money.step) * style.money.step)
    if "service_price" in style.fields:
        sums["service_price"] = round((amount + sums.get("discount_price", 0)) * rates["service_price"] / 100)
    if "othersvc_price" in style.fields:
        sums["othersvc_price"] = style.money.list_price(0.15)
    if "tax_price" in style.fields:
        sums["tax_price"] = round(sum(sums.values()) * rates["tax_price"] / 100)
    return {field: value for field, value in sums.items() if value or field == "subtotal_price"}


def _draw_total(total: int, counts: tuple[int, ...], style: _PrintStyle, rng: random.Random) -> dict[str, str]:
    """The total, the payment, and the numbers of items."""
    amounts = {"total_price": total}
    payment = rng.random()
    if "card" in style.fields and payment < 0.35:
        amounts["creditcardprice"] = total
    elif "emoney" in style.fields and payment < 0.5:
        amounts["emoneyprice"] = total
    elif "cash" in style.fields:
        magnitude = 10 ** (len(str(total)) - 1)
        note = max(1, rng.choice((magnitude // 2, magnitude, magnitude, 5 * magnitude)))
        cash = total if rng.random() < 0.15 else -(-total // note) * note
        amounts |= {"cashprice": cash, "changeprice": cash - total}
    texts = {field: style.sum(amount) for field, amount in amounts.items()}
    count_format = rng.choice(("{}", "{}", style.count_format)) if "cnt" in style.fields else "{}"
    if "menutype_cnt" in style.fields:
        texts["menutype_cnt"] = count_format.format(len(counts))
    if "menuqty_cnt" in style.fields:
        texts["menuqty_cnt"] = count_format.format(sum(counts))
    return texts
