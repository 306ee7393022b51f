"""Compose a whole receipt on a sheet, at the largest size of a random range that fits."""

from __future__ import annotations

import random
from typing import Literal

from circuitvlm.data.receipts.layouts import LAYOUTS, Style
from circuitvlm.data.receipts.page import FACES, Cell, Sheet, SheetOverflowError
from circuitvlm.data.receipts.sale import Sale
from circuitvlm.data.receipts.words import CITIES, LABELS, PEOPLE, STREETS, THANKS, shop_name

MAX_EXTRA_LINES = 12
"""The number of lines that are not part of the truth, without the shop's name."""

_WIDTH_RANGE = (27, 42)
"""The smallest and the largest width of a receipt in letters."""


def compose(layout: str, sale: Sale, *, width: int, height: int, min_x_height: float, rng: random.Random) -> Sheet:
    """The sheet of a receipt, at most `width` x `height` pixels, with an x of at least `min_x_height` pixels.

    Raises SheetOverflowError if no such size fits.
    """
    face = FACES[rng.choice([name for name in LAYOUTS[sale.shop].faces if FACES[name].can_print(sale.answer)])]
    min_size = face.smallest_size(min_x_height)
    letters, line_height = rng.randint(*_WIDTH_RANGE), rng.uniform(1.18, 1.45)
    style = _draw_style(sale, rng)
    seed = rng.getrandbits(64)
    size = max(min_size, round(width / (0.6 * letters)))
    extra_count = rng.randint(3, MAX_EXTRA_LINES)
    while True:
        sheet_width = min(width, round(0.6 * letters * size))
        sheet = Sheet(width=sheet_width, height=height, face=face, size=size, line_height=line_height)
        try:
            _fill(sheet, layout, sale, style, extra_count=extra_count, rng=random.Random(seed))
            return sheet
        except SheetOverflowError:
            if size > min_size:
                size = max(min_size, int(size * 0.94))
            elif sheet_width < width:
                letters += 4
            elif line_height > 1.25:
                line_height = 1.2
            elif extra_count:
                extra_count -= min(2, extra_count)
            else:
                raise


def _draw_style(sale: Sale, rng: random.Random) -> Style:
    rules = rng.choice((("-", "="), ("-", "-"), ("", "="), (".", "-"), ("|", "|"), ("*", "*"), ("=", "=")))
    return Style(
        language=sale.language,
        rule=rules[0],
        strong_rule=rules[1],
        sub_mark=rng.choice(("", "+", "-", "*", ">")),
        amount_position=rng.choice(("edge", "edge", "colon", "near")),
        word_index=rng.randrange(12),
        uppercase=rng.random() < 0.3,
        center_heading=rng.random() < 0.7,
    )


def _fill(sheet: Sheet, layout: str, sale: Sale, style: Style, *, extra_count: int, rng: random.Random) -> None:
    """Fill a sheet from top to bottom; a strip has no heading and no farewell. Raises SheetOverflowError."""
    is_whole = "menu" in sale.parse and "total" in sale.parse
    extra_lines = _draw_extra_lines(sale, rng) if is_whole else []
    line_indices = set(rng.sample(range(len(extra_lines)), min(extra_count, len(extra_lines))))
    lines: dict[str, list[str]] = {"address": [], "details": [], "farewell": []}
    for index, (position, text) in enumerate(extra_lines):
        if index in line_indices:
            lines[position].append(text)
    if is_whole:
        _add_heading(sheet, sale.shop, lines["address"], style, rng)
        for text in lines["details"]:
            sheet.add_row(Cell(text, max_width=sheet.width))
        if not lines["details"]:
            sheet.add_space(0.3)
        sheet.add_rule(style.strong_rule)
    if sale.items:
        LAYOUTS[layout].arrange(sheet, sale.items, style)
    if void := sale.parse.get("void_menu"):
        name_x = sheet.text_width("VOID") + sheet.gap
        name_end = sheet.width - sheet.text_width(void["price"]) - sheet.gap
        sheet.add_row(
            Cell("VOID"),
            Cell(void["nm"], x=name_x, max_width=name_end - name_x),
            Cell(void["price"], x=sheet.width, align="r"),
        )
    if is_whole:
        sheet.add_rule(style.rule)
    if "total" in sale.parse:
        _add_sums(sheet, sale, style, rng)
    if lines["farewell"]:
        sheet.add_rule(style.rule if rng.random() < 0.5 else "")
    for text in lines["farewell"]:
        sheet.add_row(Cell(text, x=sheet.width / 2, align="c", max_width=sheet.width))


def _add_heading(sheet: Sheet, shop: str, address: list[str], style: Style, rng: random.Random) -> None:
    """Add the shop's name, perhaps in larger letters, and its address."""
    name, scale = shop_name(shop, rng), rng.choice((1.0, 1.2, 1.4, 1.7))
    x = sheet.width / 2 if style.center_heading else 0.0
    align: Literal["l", "c"] = "c" if style.center_heading else "l"
    sheet.add_row(Cell(name, x=x, align=align, max_width=sheet.width), bold=True, scale=scale)
    for text in address:
        sheet.add_row(Cell(text, x=x, align=align, max_width=sheet.width))


def _draw_extra_lines(sale: Sale, rng: random.Random) -> list[tuple[str, str]]:
    """Lines that are not part of the truth, each with its position: address, details or farewell."""
    day, month, year = rng.randint(1, 28), rng.randint(1, 12), rng.randint(2015, 2025)
    date = rng.choice((f"{day:02d}/{month:02d}/{year}", f"{year}-{month:02d}-{day:02d}", f"{day}.{month}.{year}"))
    time = f"{rng.randint(7, 22):02d}:{rng.randint(0, 59):02d}"
    number = rng.randint(10**3, 10**7)
    language = sale.language
    cashier, table, receipt = ("Kasir", "Meja", "No") if language == "id" else ("Cashier", "Table", "Receipt")
    details = [
        f"{date} {time}",
        f"{receipt}: {number}",
        f"{cashier}: {rng.choice(PEOPLE)}",
        f"{table} {rng.randint(1, 40)}",
    ]
    address = [
        f"{rng.choice(STREETS[language])} {rng.randint(1, 220)}",
        rng.choice(CITIES[language]),
        f"Tel {rng.randint(10**6, 10**9)}",
    ]
    lines = {
        "address": address,
        "details": details,
        "farewell": [*rng.sample(THANKS[language], 2), rng.choice(("www.example.com", "Powered by POS", "* * *"))],
    }
    return [(position, text) for position, texts in lines.items() for text in texts]


def _add_sums(sheet: Sheet, sale: Sale, style: Style, rng: random.Random) -> None:
    """Add the subtotals, the total, the payment, and the numbers of items."""
    subtotals, total = sale.parse.get("sub_total", {}), sale.parse["total"]
    counts = {field: total[field] for field in ("menutype_cnt", "menuqty_cnt") if field in total}
    payment = {field: text for field, text in total.items() if field not in counts and field != "total_price"}
    counts_first = rng.random() < 0.4
    rows = [*(counts.items() if counts_first else ()), *subtotals.items()]
    used_labels: set[str] = set()
    for field, text in rows:
        _add_sum(sheet, field, text, style, used_labels=used_labels, rate=sale.rates.get(field, ""))
    if rows:
        sheet.add_rule(style.rule if rng.random() < 0.6 else "")
    bold = rng.random() < 0.6
    _add_sum(sheet, "total_price", total["total_price"], style, used_labels=used_labels, bold=bold)
    for field, text in [*payment.items(), *(() if counts_first else counts.items())]:
        _add_sum(sheet, field, text, style, used_labels=used_labels)


def _add_sum(
    sheet: Sheet, field: str, text: str, style: Style, *, used_labels: set[str], rate: str = "", bold: bool = False
) -> None:
    """Add a row of a label and an amount; no two rows have the same label."""
    labels = LABELS[field][style.language]
    start = style.word_index % len(labels)
    labels = (*labels[start:], *labels[:start])
    label = next((label for label in labels if label.casefold() not in used_labels), labels[0])
    used_labels.add(label.casefold())
    if rate and style.word_index % 2:
        label = f"{label} {rate}"
    label = label.upper() if style.uppercase else label
    amount = Cell(text, x=sheet.width, align="r")
    if style.amount_position == "near":
        max_x = sheet.width - sheet.text_width(text, bold=bold) - sheet.gap
        cells = [Cell(label, x=min(0.62 * sheet.width, max_x), align="r")]
    else:
        cells = [Cell(label)]
        if style.amount_position == "colon" and text[0] != ":":
            cells.append(Cell(":", x=0.5 * sheet.width, align="r"))
    sheet.add_row(*cells, amount, bold=bold)
