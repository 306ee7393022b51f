"""Arrange the items of a receipt in the layouts of several kinds of shops."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from circuitvlm.data.receipts.page import Cell, Sheet
from circuitvlm.data.receipts.sale import Shop
from circuitvlm.data.receipts.words import HEADINGS

Items = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Style:
    """The typesetting of one receipt.

    `rule` and `strong_rule` are the characters of its lines, `sub_mark` the sign before an addition to an item.
    `amount_position` says where the amounts of sums are: at the edge, after a colon, or near their label.
    `word_index` chooses among the words for a label.
    """

    language: str
    rule: str
    strong_rule: str
    sub_mark: str
    amount_position: Literal["edge", "colon", "near"]
    word_index: int
    uppercase: bool
    center_heading: bool

    def column_heading(self, field: str) -> str:
        """The heading of a field's column."""
        words = HEADINGS[field][self.language]
        text = words[self.word_index % len(words)]
        return text.upper() if self.uppercase else text


def count_first(sheet: Sheet, items: Items, style: Style) -> None:
    """Count, name and price in one row: 1 x Kopi Susu 28.000."""
    name_x, name_end = _column_space(sheet, items, "cnt"), sheet.width - _column_space(sheet, items, "price")
    for item in items:
        name = Cell(item["nm"], x=name_x, max_width=name_end - name_x)
        sheet.add_row(*_optional_cell(item, "cnt"), name, Cell(item["price"], x=sheet.width, align="r"))
        if "unitprice" in item:
            sheet.add_row(Cell(item["unitprice"], x=name_x))
        _add_details(sheet, item, style, indent=name_x, end=sheet.width)


def two_rows(sheet: Sheet, items: Items, style: Style) -> None:
    """A row of number and name, and below it one of count, unit price and price."""
    price_end = sheet.width - _column_space(sheet, items, "vatyn")
    indent, name_x = 1.5 * sheet.size, _column_space(sheet, items, "num")
    min_end = indent + sheet.column_width(items, "cnt") + sheet.gap + sheet.column_width(items, "unitprice")
    unitprice_end = min(price_end - sheet.column_width(items, "price") - sheet.gap, max(min_end, 0.6 * sheet.width))
    for item in items:
        sheet.add_row(*_optional_cell(item, "num"), Cell(item["nm"], x=name_x, max_width=sheet.width - name_x))
        sheet.add_row(
            *_optional_cell(item, "cnt", x=indent),
            *_optional_cell(item, "unitprice", x=unitprice_end, align="r"),
            Cell(item["price"], x=price_end, align="r"),
            *_optional_cell(item, "vatyn", x=sheet.width, align="r"),
        )
        _add_details(sheet, item, style, indent=indent, end=price_end)


def columns(sheet: Sheet, items: Items, style: Style) -> None:
    """Columns with headings: name, count and price."""
    count_width, price_width = (
        max(sheet.column_width(items, field), sheet.text_width(style.column_heading(field)))
        for field in ("cnt", "price")
    )
    count_end = sheet.width - price_width - sheet.gap
    middle, name_width = count_end - count_width / 2, count_end - count_width - sheet.gap
    sheet.add_row(
        Cell(style.column_heading("nm")),
        Cell(style.column_heading("price"), x=sheet.width, align="r"),
        Cell(style.column_heading("cnt"), x=middle, align="c"),
    )
    sheet.add_rule(style.rule)
    for item in items:
        sheet.add_row(
            Cell(item["nm"], max_width=name_width),
            *_optional_cell(item, "cnt", x=middle, align="c"),
            Cell(item["price"], x=sheet.width, align="r"),
        )
        _add_details(sheet, item, style, indent=1.2 * sheet.size, end=sheet.width)


def label_rows(sheet: Sheet, items: Items, style: Style) -> None:
    """A row for each field, with its label, as petrol pumps print them."""
    labels = {"nm": "Produk", "cnt": "Volume", "unitprice": "Harga/L", "price": "Nilai"}
    if style.language == "en":
        labels = {"nm": "Product", "cnt": "Litres", "unitprice": "Price/L", "price": "Amount"}
    labels = {field: label.upper() if style.uppercase else label for field, label in labels.items()}
    colon_x = max(map(sheet.text_width, labels.values())) + sheet.gap
    value_x = colon_x + sheet.text_width(":") + sheet.gap
    for index, item in enumerate(items):
        if index:
            sheet.add_space(0.4)
        for field, label in labels.items():
            if field in item:
                value = Cell(item[field], x=value_x, max_width=sheet.width - value_x)
                sheet.add_row(Cell(label), Cell(":", x=colon_x), value)


def table(sheet: Sheet, items: Items, style: Style) -> None:
    """A table between rules: name, count, unit price, price."""
    fields = [field for field in ("cnt", "unitprice") if any(field in item for item in items)]
    column_ends, column_end = dict[str, float](), float(sheet.width)
    for field in ("price", *reversed(fields)):
        column_ends[field] = column_end
        column_end -= max(sheet.column_width(items, field), sheet.text_width(style.column_heading(field))) + sheet.gap
    headings = [Cell(style.column_heading(field), x=x, align="r") for field, x in column_ends.items()]
    sheet.add_rule("|")
    sheet.add_row(Cell(style.column_heading("nm")), *headings, bold=True)
    sheet.add_rule("|")
    for item in items:
        sheet.add_row(
            Cell(item["nm"], max_width=column_end),
            *[cell for field, x in column_ends.items() for cell in _optional_cell(item, field, x=x, align="r")],
        )
        _add_details(sheet, item, style, indent=sheet.size, end=sheet.width)
    sheet.add_rule("|")


def name_above(sheet: Sheet, items: Items, style: Style) -> None:
    """The name in a bold row of its own, and below it count, unit price and price."""
    for item in items:
        sheet.add_row(Cell(item["nm"], max_width=sheet.width), bold=True)
        indent = 0.6 * sheet.size
        cells = _optional_cell(item, "cnt", x=indent)
        if "unitprice" in item:
            indent += sheet.text_width(item["cnt"]) + sheet.gap if "cnt" in item else 0.0
            cells.append(Cell(item["unitprice"], x=indent))
        sheet.add_row(*cells, Cell(item["price"], x=sheet.width, align="r"))
        _add_details(sheet, item, style, indent=indent, end=sheet.width)


def dot_leaders(sheet: Sheet, items: Items, style: Style) -> None:
    """The name, dots, and the price; count and unit price below, if there are any."""
    name_end = sheet.width - _column_space(sheet, items, "price")
    for item in items:
        first = len(sheet.texts)
        sheet.add_row(Cell(item["nm"], max_width=name_end), Cell(item["price"], x=sheet.width, align="r"))
        name, price = (text for text in sheet.texts[first:] if text.y == sheet.texts[first].y)
        dots_x = name.x + sheet.text_width(name.text) + sheet.gap / 2
        dot_count = int((price.x - sheet.gap / 2 - dots_x) / sheet.text_width("."))
        if dot_count > 2:
            sheet.add_dots(dot_count, x=dots_x, y=name.y)
        if "cnt" in item or "unitprice" in item:
            unitprice_x = 2 * sheet.size + sheet.column_width(items, "cnt") + sheet.gap
            sheet.add_row(
                *_optional_cell(item, "cnt", x=2 * sheet.size), *_optional_cell(item, "unitprice", x=unitprice_x)
            )
        _add_details(sheet, item, style, indent=2 * sheet.size, end=sheet.width)


def price_first(sheet: Sheet, items: Items, style: Style) -> None:
    """The price on the left, then the name, and the count at the edge."""
    name_x, name_end = _column_space(sheet, items, "price"), sheet.width - _column_space(sheet, items, "cnt")
    for item in items:
        sheet.add_row(
            Cell(item["price"], x=name_x - sheet.gap, align="r"),
            Cell(item["nm"], x=name_x, max_width=name_end - name_x),
            *_optional_cell(item, "cnt", x=sheet.width, align="r"),
        )
        _add_details(sheet, item, style, indent=name_x, end=sheet.width)


def mixed_order(sheet: Sheet, items: Items, style: Style) -> None:
    """Count, name and price in an order that no other layout has; the name is first if there is no count."""
    widths = {field: sheet.column_width(items, field) for field in ("cnt", "price")}
    orders = (("nm", "price", "cnt"), ("cnt", "price", "nm"), ("price", "cnt", "nm"))
    order = orders[style.word_index % 3 if widths["cnt"] else 0]
    name_width = sheet.width - sum(width + sheet.gap for width in widths.values() if width)
    for item in items:
        cells, x = list[Cell](), 0.0
        for field in order:
            if field == "nm":
                cells.append(Cell(item["nm"], x=x, max_width=name_width))
                x += name_width + sheet.gap
            elif widths[field]:
                cells += _optional_cell(item, field, x=x + widths[field], align="r")
                x += widths[field] + sheet.gap
        sheet.add_row(*cells)
        _add_details(sheet, item, style, indent=1.5 * sheet.size, end=sheet.width)


def _optional_cell(item: Mapping[str, Any], field: str, *, x: float = 0.0, align: Any = "l") -> list[Cell]:
    """The cell of a field; none if the item has no such field."""
    return [Cell(item[field], x=x, align=align)] if field in item else []


def _column_space(sheet: Sheet, items: Items, field: str) -> float:
    """The width of a field's column with the gap beside it; 0 if no item has the field."""
    width = sheet.column_width(items, field)
    return width + sheet.gap if width else 0.0


def _add_details(sheet: Sheet, item: Mapping[str, Any], style: Style, *, indent: float, end: float) -> None:
    """Add the rows below an item: its note, its additions, its discount and the sum after it."""
    if "etc" in item:
        sheet.add_row(Cell(item["etc"], x=indent))
    subs = item.get("sub", [])
    for sub in [subs] if isinstance(subs, Mapping) else subs:
        x = indent + (sheet.text_width(style.sub_mark) + sheet.gap if style.sub_mark else sheet.gap)
        cells = [Cell(style.sub_mark, x=indent)] if style.sub_mark else []
        if "cnt" in sub:
            cells.append(Cell(sub["cnt"], x=x))
            x += sheet.text_width(sub["cnt"]) + sheet.gap
        name_end = end - (sheet.text_width(sub["price"]) + sheet.gap if "price" in sub else 0.0)
        name = Cell(sub["nm"], x=x, max_width=name_end - x)
        sheet.add_row(*cells, name, *_optional_cell(sub, "price", x=end, align="r"))
    if "discountprice" in item:
        label = "Diskon" if style.language == "id" else "Discount"
        sheet.add_row(Cell(label, x=indent), Cell(item["discountprice"], x=end, align="r"))
    if "itemsubtotal" in item:
        sheet.add_row(Cell("=", x=indent), Cell(item["itemsubtotal"], x=end, align="r"))


@dataclass(frozen=True, slots=True)
class Layout:
    """A kind of shop, the arrangement of its items, and the names of its printers' fonts."""

    shop: Shop
    arrange: Callable[[Sheet, Items, Style], None]
    faces: tuple[str, ...]


_RUPIAH = ("rupiah_dot", "rupiah_comma", "rupiah_sign", "rupiah_tight", "rupiah_dash")
_FOREIGN = ("dollar", "pound", "ringgit", "euro", "yen", "won")
_PAYMENT_ODDS = {"cash": 0.9, "card": 0.6, "emoney": 0.6}


def _shop(prices: tuple[float, float], currencies: tuple[str, ...], max_items: int = 1000, **odds: float) -> Shop:
    return Shop(prices=prices, currencies=currencies, max_items=max_items, odds=_PAYMENT_ODDS | odds)


LAYOUTS: Mapping[str, Layout] = {
    "cafe": Layout(
        _shop((0.6, 2.0), _RUPIAH, cnt=1, unitprice=0.2, sub=0.5, sub_price=0.7, sub_cnt=0.2, etc=0.1,
              subtotal_price=0.8, discount_price=0.15, service_price=0.3, tax_price=0.6, menuqty_cnt=0.2),
        count_first,
        ("mono", "mono", "sans"),
    ),
    "supermarket": Layout(
        _shop((0.25, 2.5), (*_RUPIAH, *_FOREIGN), cnt=1, unitprice=1, num=0.3, vatyn=0.25, discountprice=0.4,
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
        _shop((0.35, 0.7), (*_RUPIAH, "dollar_odd", "euro", "won"), max_items=2, litres=1, unitprice=1, tax_price=0.15,
              discount_price=0.1),
        label_rows,
        ("mono", "mono_bold", "typewriter"),
    ),
    "hotel": Layout(
        _shop((3.0, 50.0), ("rupiah_cents", "rupiah_sign", "dollar", "euro", "yen"), cnt=0.7, unitprice=0.4, etc=0.1,
              subtotal_price=1, discount_price=0.2, service_price=0.7, othersvc_price=0.2, tax_price=0.9),
        table,
        ("serif", "times", "sans"),
    ),
    "takeaway": Layout(
        _shop((0.6, 3.0), (*_RUPIAH, *_FOREIGN), cnt=1, unitprice=0.8, sub=0.5, sub_price=0.5, discountprice=0.15,
              subtotal_price=0.7, othersvc_price=0.5, discount_price=0.3, tax_price=0.4, menuqty_cnt=0.4),
        name_above,
        ("mono", "sans", "typewriter"),
    ),
    "bakery": Layout(
        _shop((0.3, 1.8), (*_RUPIAH, "euro", "pound", "won"), cnt=0.6, unitprice=0.3, discountprice=0.2,
              subtotal_price=0.6, discount_price=0.2, tax_price=0.3, menuqty_cnt=0.3),
        dot_leaders,
        ("serif", "sans", "mono"),
    ),
    "kiosk": Layout(
        _shop((0.2, 1.5), (*_FOREIGN, "rupiah_dot"), cnt=0.7, subtotal_price=0.3, tax_price=0.4,
              menuqty_cnt=0.2),
        price_first,
        ("mono", "typewriter", "sans"),
    ),
    "market": Layout(
        _shop((0.2, 2.0), (*_RUPIAH, *_FOREIGN), cnt=0.8, sub=0.2, sub_price=0.5, etc=0.1, discountprice=0.1,
              subtotal_price=0.4, discount_price=0.1, tax_price=0.3, menuqty_cnt=0.3),
        mixed_order,
        ("mono", "typewriter", "sans"),
    ),
}  # fmt: skip
"""The layouts by name."""
