"""What was bought, and what was paid? A sale whose sums are exact, and the fields that its receipt states."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from circuitvlm.data.receipts.money import MONEY, Money
from circuitvlm.data.receipts.words import ADDED, NOTES, ware

Parse = dict[str, Any]
"""A receipt's fields as CORD v2 nests them; all leaves are texts as they are printed."""

COUNTS = ("{}", "{}", "{}x", "{} x", "x{}", "{}.00")
"""How "two of them" is printed: 2, 2x, 2 x, x2, 2.00."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """What a kind of shop sells and prints: `odds` are the chances, receipt by receipt, that a field is printed.

    `coffees` are the least and highest price by that of a coffee, `most` the most items of a receipt.
    """

    coffees: tuple[float, float]
    money: tuple[str, ...]
    most: int
    odds: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Sale:
    """A receipt's parse, with what its printer needs to know besides; `rates` are those of tax and service, as 10%."""

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
        """What was bought, also where it is one thing; nothing on a strip of sums."""
        menu = self.parse.get("menu", [])
        return menu if isinstance(menu, list) else [menu]

    def strip(self, rng: random.Random) -> Sale:
        """A part of it: the items alone, or what stands below them."""
        is_menu = rng.random() < 0.6
        return replace(self, parse={key: said for key, said in self.parse.items() if (key == "menu") == is_menu})


@dataclass(slots=True)
class _Habits:
    """How one receipt writes: which fields, and their numbers how."""

    shop: str
    fields: frozenset[str]
    money: Money
    count: str
    at: str
    signs: bool
    capitals: bool
    colon: bool


def sale(shop: str, kind: Shop, *, items: tuple[int, int], rng: random.Random) -> Sale:
    """A random sale of so many items; the kind's `most` is a bound too."""
    name = rng.choice(kind.money)
    money = MONEY[name]
    habits = _Habits(
        shop=shop,
        fields=frozenset(field for field, chance in kind.odds.items() if rng.random() < chance),
        money=money,
        count=rng.choice(COUNTS),
        at=rng.choice(("", "", "@")),
        signs=bool(money.before) and rng.random() < 0.4,
        capitals=shop == "supermarket" or rng.random() < 0.25,
        colon=rng.random() < 0.04,
    )
    low, high = items
    names = _names(rng.randint(low, max(low, min(high, kind.most))), habits, rng)
    made = [_item(name, kind, habits, rng) for name in names]
    rows, amounts, counts = ([one[k] for one in made] for k in ("row", "amount", "count"))
    parse: Parse = {"menu": rows[0] if len(rows) == 1 else rows}
    if "void" in habits.fields and len(rows) > 1:
        parse["void_menu"] = _void(kind, habits, rng)
    rates = {"service_price": rng.choice((5, 7, 10)), "tax_price": rng.choice((10, 11, 6, 20))}
    above = _above(sum(amounts), rates, habits)
    if stated := {field: _summed(value, habits) for field, value in above.items() if field in habits.fields}:
        parse["sub_total"] = stated
    parse["total"] = _total(sum(amounts) + sum(above.values()) - above["subtotal_price"], counts, habits, rng)
    return Sale(shop, parse, name, money.language, {field: f"{rate}%" for field, rate in rates.items()})


def _names(count: int, habits: _Habits, rng: random.Random) -> list[str]:
    """What is bought: no thing twice, as far as the shop has enough of them."""
    drawn = dict.fromkeys(ware(habits.shop, rng) for _ in range(8 * count))
    names = [*drawn, *(ware(habits.shop, rng) for _ in range(count))][:count]
    return [name.upper() if habits.capitals else name for name in names]


def _item(name: str, kind: Shop, habits: _Habits, rng: random.Random) -> dict[str, Any]:
    """One row of the menu, with its amount in the smallest unit and how many there are."""
    unit = habits.money.price(rng.uniform(*kind.coffees) * rng.choice((0.5, 0.8, 1.0)))
    count = rng.choices((1, 2, 3, 4, 12), (12, 5, 2, 1, 0.3))[0] if {"cnt", "litres"} & habits.fields else 1
    row: dict[str, Any] = {"nm": name}
    if "num" in habits.fields:
        row["num"] = str(rng.randint(10**5, 10**6 - 1))
    if "unitprice" in habits.fields:
        row["unitprice"] = habits.at + _priced(unit, habits)
    price = unit * count
    if "litres" in habits.fields:
        litres = rng.randint(500, 6000)
        price, row["cnt"] = round(unit * litres / 100), f"{litres / 100:.2f}"
    elif "cnt" in habits.fields:
        row["cnt"] = habits.count.format(count)
    cut = _cut(price, habits, rng) if "discountprice" in habits.fields and rng.random() < 0.4 else 0
    if cut:
        row["discountprice"] = habits.money.plain(-cut)
    row["price"] = _priced(price, habits)
    if cut and "itemsubtotal" in habits.fields:
        row["itemsubtotal"] = _priced(price - cut, habits)
    if "vatyn" in habits.fields:
        row["vatyn"] = rng.choice("ATV")
    if "etc" in habits.fields and rng.random() < 0.3:
        row["etc"] = rng.choice(NOTES)
    added = _added(row, kind, habits, rng) if "sub" in habits.fields and rng.random() < 0.5 else 0
    return {"row": row, "amount": price - cut + added, "count": count}


def _added(row: dict[str, Any], kind: Shop, habits: _Habits, rng: random.Random) -> int:
    """Puts what was added to an item into its row; what it costs."""
    subs, cost = [], 0
    for name in rng.sample(ADDED, rng.choice((1, 1, 1, 2))):
        sub = {"nm": name.upper() if habits.capitals else name}
        if "sub_cnt" in habits.fields:
            sub["cnt"] = habits.count.format(1)
        if "sub_price" in habits.fields:
            price = habits.money.price(kind.coffees[0] * rng.uniform(0.2, 0.8))
            sub["price"] = _priced(price, habits)
            cost += price
        subs.append(sub)
    row["sub"] = subs[0] if len(subs) == 1 else subs
    return cost


def _cut(price: int, habits: _Habits, rng: random.Random) -> int:
    """A discount on a price: a share of it, as amounts of this currency go."""
    step = habits.money.step
    return round(price * rng.choice((0.05, 0.1, 0.2, 0.3)) / step) * step


def _void(kind: Shop, habits: _Habits, rng: random.Random) -> dict[str, str]:
    """What was taken back: it counts for nothing in the sums."""
    price = habits.money.price(rng.uniform(*kind.coffees))
    return {"nm": _names(1, habits, rng)[0], "price": habits.money.plain(-price)}


def _above(amount: int, rates: Mapping[str, int], habits: _Habits) -> dict[str, int]:
    """What stands between the items and the total; all but the subtotal lead from it to the total, in this order."""
    said, total = {"subtotal_price": amount}, amount
    if "discount_price" in habits.fields:
        said["discount_price"] = -(round(amount * 0.1 / habits.money.step) * habits.money.step)
    if "service_price" in habits.fields:
        said["service_price"] = round((amount + said.get("discount_price", 0)) * rates["service_price"] / 100)
    if "othersvc_price" in habits.fields:
        said["othersvc_price"] = habits.money.price(0.15)
    if "tax_price" in habits.fields:
        total += sum(said.values()) - amount
        said["tax_price"] = round(total * rates["tax_price"] / 100)
    return {field: value for field, value in said.items() if value or field == "subtotal_price"}


def _total(total: int, counts: list[int], habits: _Habits, rng: random.Random) -> dict[str, str]:
    """The total, how it was paid, and how many things there were."""
    said = {"total_price": total}
    paid = rng.random()
    if "card" in habits.fields and paid < 0.35:
        said["creditcardprice"] = total
    elif "emoney" in habits.fields and paid < 0.5:
        said["emoneyprice"] = total
    elif "cash" in habits.fields:
        first = 10 ** (len(str(total)) - 1)
        note = max(1, rng.choice((first // 2, first, first, 5 * first)))
        cash = total if rng.random() < 0.15 else -(-total // note) * note
        said |= {"cashprice": cash, "changeprice": cash - total}
    texts = {field: _summed(value, habits) for field, value in said.items()}
    style = rng.choice(("{}", "{}", habits.count)) if "cnt" in habits.fields else "{}"
    if "menutype_cnt" in habits.fields:
        texts["menutype_cnt"] = style.format(len(counts))
    if "menuqty_cnt" in habits.fields:
        texts["menuqty_cnt"] = style.format(sum(counts))
    return texts


def _priced(amount: int, habits: _Habits) -> str:
    """A price beside an item; suffixes such as ,- belong to the number, a sign does by habit."""
    if habits.money.after == ",-" or habits.signs:
        return habits.money.signed(amount)
    return habits.money.plain(amount)


def _summed(amount: int, habits: _Habits) -> str:
    """A sum: with the currency's sign, and by a rare habit with the colon before it."""
    return ":" * habits.colon + habits.money.signed(amount)
