"""How do the items of a receipt stand on it? One arrangement for each kind of shop; what is sold there besides."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from circuitvlm.data.receipts.page import Cell, Sheet
from circuitvlm.data.receipts.sale import Shop
from circuitvlm.data.receipts.words import COLUMNS

Items = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Look:
    """How one receipt is set. `rule` and `strong` are the signs of its lines, `mark` stands before what was added;
    `keys` says where amounts stand beside their words: at the edge, after a colon, or near the word.
    """

    language: str
    rule: str
    strong: str
    mark: str
    keys: str
    word: int
    capitals: bool
    centred: bool

    def column(self, field: str) -> str:
        """The heading of a column."""
        words = COLUMNS[field][self.language]
        text = words[self.word % len(words)]
        return text.upper() if self.capitals else text


def counted(sheet: Sheet, items: Items, look: Look) -> None:
    """Count, name and price in one row: 1 x Kopi Susu 28.000."""
    left, right = _after(sheet, items, "cnt"), _before(sheet, items, "price")
    for item in items:
        name = Cell(item["nm"], x=left, room=right - left)
        sheet.row(*_cell(item, "cnt"), name, Cell(item["price"], x=sheet.width, align="r"))
        if "unitprice" in item:
            sheet.row(Cell(item["unitprice"], x=left))
        _details(sheet, item, look, indent=left, end=sheet.width)


def two_rows(sheet: Sheet, items: Items, look: Look) -> None:
    """Number and name above, count, unit price and price below."""
    end = _before(sheet, items, "vatyn")
    indent, left = 1.5 * sheet.size, _after(sheet, items, "num")
    least = indent + sheet.widest(items, "cnt") + sheet.gap + sheet.widest(items, "unitprice")
    right = min(end - sheet.widest(items, "price") - sheet.gap, max(least, 0.6 * sheet.width))
    for item in items:
        sheet.row(*_cell(item, "num"), Cell(item["nm"], x=left, room=sheet.width - left))
        cells = [*_cell(item, "cnt", x=indent), *_cell(item, "unitprice", x=right, align="r")]
        sheet.row(*cells, Cell(item["price"], x=end, align="r"), *_cell(item, "vatyn", x=sheet.width, align="r"))
        _details(sheet, item, look, indent=indent, end=end)


def columns(sheet: Sheet, items: Items, look: Look) -> None:
    """A heading, then name, count and price."""
    count = max(sheet.widest(items, "cnt"), sheet.wide(look.column("cnt")))
    right = sheet.width - max(sheet.widest(items, "price"), sheet.wide(look.column("price"))) - sheet.gap
    middle, room = right - count / 2, right - count - sheet.gap
    heads = [Cell(look.column("nm")), Cell(look.column("price"), x=sheet.width, align="r")]
    sheet.row(*heads, Cell(look.column("cnt"), x=middle, align="c"))
    sheet.rule(look.rule)
    for item in items:
        cells = [Cell(item["nm"], room=room), *_cell(item, "cnt", x=middle, align="c")]
        sheet.row(*cells, Cell(item["price"], x=sheet.width, align="r"))
        _details(sheet, item, look, indent=1.2 * sheet.size, end=sheet.width)


def labelled(sheet: Sheet, items: Items, look: Look) -> None:
    """Words with their values below each other, as pumps print them."""
    words = {"nm": "Produk", "cnt": "Volume", "unitprice": "Harga/L", "price": "Nilai"}
    if look.language == "en":
        words = {"nm": "Product", "cnt": "Litres", "unitprice": "Price/L", "price": "Amount"}
    words = {field: word.upper() if look.capitals else word for field, word in words.items()}
    left = max(map(sheet.wide, words.values())) + sheet.gap
    for place, item in enumerate(items):
        if place:
            sheet.space(0.4)
        for field, word in words.items():
            if field in item:
                value = left + sheet.wide(":") + sheet.gap
                room = sheet.width - value
                sheet.row(Cell(word), Cell(":", x=left), Cell(item[field], x=value, room=room))


def table(sheet: Sheet, items: Items, look: Look) -> None:
    """A table between rules: name, count, unit price, price."""
    wide = {
        field: max(sheet.widest(items, field), sheet.wide(look.column(field)))
        for field in ("cnt", "unitprice", "price")
        if field == "price" or any(field in item for item in items)
    }
    ends, end = dict[str, float](), float(sheet.width)
    for field in reversed(wide):
        ends[field] = end
        end -= wide[field] + sheet.gap
    heads = [Cell(look.column(field), x=x, align="r") for field, x in ends.items()]
    sheet.rule("|")
    sheet.row(Cell(look.column("nm")), *heads, bold=True)
    sheet.rule("|")
    for item in items:
        cells = [cell for field, x in ends.items() for cell in _cell(item, field, x=x, align="r")]
        sheet.row(Cell(item["nm"], room=end), *cells)
        _details(sheet, item, look, indent=sheet.size, end=sheet.width)
    sheet.rule("|")


def under(sheet: Sheet, items: Items, look: Look) -> None:
    """The name in a row of its own, strong; below it count and unit price side by side, and the price."""
    for item in items:
        sheet.row(Cell(item["nm"], room=sheet.width), bold=True)
        left = 0.6 * sheet.size
        cells = [*_cell(item, "cnt", x=left)]
        if "unitprice" in item:
            left += sheet.wide(item["cnt"]) + sheet.gap if "cnt" in item else 0.0
            cells.append(Cell(item["unitprice"], x=left))
        sheet.row(*cells, Cell(item["price"], x=sheet.width, align="r"))
        _details(sheet, item, look, indent=left, end=sheet.width)


def dotted(sheet: Sheet, items: Items, look: Look) -> None:
    """The name, dots, and the price; how many of them below, if it is said."""
    right = _before(sheet, items, "price")
    for item in items:
        before = len(sheet.ink)
        sheet.row(Cell(item["nm"], room=right), Cell(item["price"], x=sheet.width, align="r"))
        name, price = (one for one in sheet.ink[before:] if one.y == sheet.ink[before].y)
        start, room = name.x + sheet.wide(name.text) + sheet.gap / 2, 0.0
        room = price.x - sheet.gap / 2 - start
        dots = int(room / sheet.wide("."))
        if dots > 2:
            sheet.dots(dots, x=start, y=name.y)
        if "cnt" in item or "unitprice" in item:
            unit = [*_cell(item, "unitprice", x=2 * sheet.size + sheet.widest(items, "cnt") + sheet.gap)]
            sheet.row(*_cell(item, "cnt", x=2 * sheet.size), *unit)
        _details(sheet, item, look, indent=2 * sheet.size, end=sheet.width)


def price_first(sheet: Sheet, items: Items, look: Look) -> None:
    """The price on the left, then the name, and the count at the edge."""
    left, right = _after(sheet, items, "price"), _before(sheet, items, "cnt")
    for item in items:
        price = Cell(item["price"], x=left - sheet.gap, align="r")
        sheet.row(price, Cell(item["nm"], x=left, room=right - left), *_cell(item, "cnt", x=sheet.width, align="r"))
        _details(sheet, item, look, indent=left, end=sheet.width)


def shuffled(sheet: Sheet, items: Items, look: Look) -> None:
    """Count, name and price in a row, in an order that no other arrangement has; where no count is said, name first."""
    wide = {field: sheet.widest(items, field) for field in ("cnt", "price")}
    orders = (("nm", "price", "cnt"), ("cnt", "price", "nm"), ("price", "cnt", "nm"))
    order = orders[look.word % 3 if wide["cnt"] else 0]
    room = sheet.width - sum(w + sheet.gap for w in wide.values() if w)
    for item in items:
        cells, left = list[Cell](), 0.0
        for field in order:
            if field == "nm":
                cells.append(Cell(item["nm"], x=left, room=room))
                left += room + sheet.gap
            elif wide[field]:
                cells += _cell(item, field, x=left + wide[field], align="r")
                left += wide[field] + sheet.gap
        sheet.row(*cells)
        _details(sheet, item, look, indent=1.5 * sheet.size, end=sheet.width)


def _cell(item: Mapping[str, Any], field: str, *, x: float = 0.0, align: Any = "l") -> list[Cell]:
    """The cell of a field; none where the item has no such field."""
    return [Cell(item[field], x=x, align=align)] if field in item else []


def _after(sheet: Sheet, items: Items, field: str) -> float:
    """Where a column begins that stands right of a field's."""
    wide = sheet.widest(items, field)
    return wide + sheet.gap if wide else 0.0


def _before(sheet: Sheet, items: Items, field: str) -> float:
    """Where a column ends that stands left of a field's, which is at the edge."""
    return sheet.width - _after(sheet, items, field)


def _details(sheet: Sheet, item: Mapping[str, Any], look: Look, *, indent: float, end: float) -> None:
    """Below an item: its note, what was added to it, and its discount."""
    if "etc" in item:
        sheet.row(Cell(item["etc"], x=indent))
    subs = item.get("sub", [])
    for sub in [subs] if isinstance(subs, Mapping) else subs:
        left = indent + (sheet.wide(look.mark) + sheet.gap if look.mark else sheet.gap)
        mark = [Cell(look.mark, x=indent)] if look.mark else []
        count = [Cell(sub["cnt"], x=left)] if "cnt" in sub else []
        left += sheet.wide(sub["cnt"]) + sheet.gap if count else 0.0
        right = end - (sheet.wide(sub["price"]) + sheet.gap if "price" in sub else 0.0)
        sheet.row(*mark, *count, Cell(sub["nm"], x=left, room=right - left), *_cell(sub, "price", x=end, align="r"))
    if "discountprice" in item:
        word = "Diskon" if look.language == "id" else "Discount"
        sheet.row(Cell(word, x=indent), Cell(item["discountprice"], x=end, align="r"))
    if "itemsubtotal" in item:
        sheet.row(Cell("=", x=indent), Cell(item["itemsubtotal"], x=end, align="r"))


@dataclass(frozen=True, slots=True)
class Layout:
    """A kind of shop, the arrangement of its items, and the fonts of its printers."""

    shop: Shop
    arrange: Callable[[Sheet, Items, Look], None]
    faces: tuple[str, ...]


_RUPIAH = ("rupiah_dot", "rupiah_comma", "rupiah_sign", "rupiah_tight", "rupiah_dash")
_ABROAD = ("dollar", "pound", "ringgit", "euro", "yen", "won")
_PAID = {"cash": 0.9, "card": 0.6, "emoney": 0.6}


def _shop(coffees: tuple[float, float], money: tuple[str, ...], most: int = 1000, **odds: float) -> Shop:
    return Shop(coffees=coffees, money=money, most=most, odds=_PAID | odds)


LAYOUTS: Mapping[str, Layout] = {
    "cafe": Layout(
        _shop((0.6, 2.0), _RUPIAH, cnt=1, unitprice=0.2, sub=0.5, sub_price=0.7, sub_cnt=0.2, etc=0.1,
              subtotal_price=0.8, discount_price=0.15, service_price=0.3, tax_price=0.6, menuqty_cnt=0.2),
        counted,
        ("mono", "mono", "sans"),
    ),
    "supermarket": Layout(
        _shop((0.25, 2.5), (*_RUPIAH, *_ABROAD), cnt=1, unitprice=1, num=0.3, vatyn=0.25, discountprice=0.4,
              itemsubtotal=0.4, void=0.1, subtotal_price=0.5, discount_price=0.2, tax_price=0.5, menuqty_cnt=0.6,
              menutype_cnt=0.2),
        two_rows,
        ("mono", "mono_bold", "typewriter"),
    ),
    "restaurant": Layout(
        _shop((0.8, 5.0), (*_RUPIAH, "rupiah_cents", "dollar", "pound", "ringgit"), cnt=1, sub=0.7, sub_price=0.4,
              sub_cnt=0.2, etc=0.2, void=0.05, subtotal_price=0.95, discount_price=0.2, service_price=0.6,
              othersvc_price=0.1, tax_price=0.8, menutype_cnt=0.1),
        columns,
        ("mono", "sans", "times"),
    ),
    "petrol": Layout(
        _shop((0.35, 0.7), (*_RUPIAH, "dollar_odd", "euro", "won"), most=2, litres=1, unitprice=1, tax_price=0.15,
              discount_price=0.1),
        labelled,
        ("mono", "mono_bold", "typewriter"),
    ),
    "hotel": Layout(
        _shop((3.0, 50.0), ("rupiah_cents", "rupiah_sign", "dollar", "euro", "yen"), cnt=0.7, unitprice=0.4, etc=0.1,
              subtotal_price=1, discount_price=0.2, service_price=0.7, othersvc_price=0.2, tax_price=0.9),
        table,
        ("serif", "times", "sans"),
    ),
    "takeaway": Layout(
        _shop((0.6, 3.0), (*_RUPIAH, *_ABROAD), cnt=1, unitprice=0.8, sub=0.5, sub_price=0.5, discountprice=0.15,
              subtotal_price=0.7, othersvc_price=0.5, discount_price=0.3, tax_price=0.4, menuqty_cnt=0.4),
        under,
        ("mono", "sans", "typewriter"),
    ),
    "bakery": Layout(
        _shop((0.3, 1.8), (*_RUPIAH, "euro", "pound", "won"), cnt=0.6, unitprice=0.3, discountprice=0.2,
              subtotal_price=0.6, discount_price=0.2, tax_price=0.3, menuqty_cnt=0.3),
        dotted,
        ("serif", "sans", "mono"),
    ),
    "kiosk": Layout(
        _shop((0.2, 1.5), (*_ABROAD, "rupiah_dot"), cnt=0.7, subtotal_price=0.3, tax_price=0.4,
              menuqty_cnt=0.2),
        price_first,
        ("mono", "typewriter", "sans"),
    ),
    "market": Layout(
        _shop((0.2, 2.0), (*_RUPIAH, *_ABROAD), cnt=0.8, sub=0.2, sub_price=0.5, etc=0.1, discountprice=0.1,
              subtotal_price=0.4, discount_price=0.1, tax_price=0.3, menuqty_cnt=0.3),
        shuffled,
        ("mono", "typewriter", "sans"),
    ),
}  # fmt: skip
"""The layouts that there are, by name."""
