"""How is a whole receipt set? Heading, items, sums and farewell, at the largest size of a random range that fits."""

from __future__ import annotations

import random
from typing import Literal

from circuitvlm.data.receipts.layouts import LAYOUTS, Look
from circuitvlm.data.receipts.page import FACES, Cell, Sheet, TightError
from circuitvlm.data.receipts.sale import Sale
from circuitvlm.data.receipts.words import CITIES, KEYS, PEOPLE, STREETS, THANKS, shop_name

EXTRAS = 12
"""The most lines that are not of the truth, besides the shop's name."""

_COLUMNS = (27, 42)
"""Between how many letters of usual width a receipt is wide."""


def compose(layout: str, sale: Sale, *, width: int, height: int, legible: float, rng: random.Random) -> Sheet:
    """The sheet of a receipt, at most `width` x `height` pixels, an x of which is at least `legible` high.

    Raises TightError where no such size fits.
    """
    face = FACES[rng.choice([name for name in LAYOUTS[sale.shop].faces if FACES[name].prints(sale.answer)])]
    least = face.least(legible)
    letters, leading = rng.randint(*_COLUMNS), rng.uniform(1.18, 1.45)
    look = _look(sale, rng)
    state = rng.getrandbits(64)
    size = max(least, round(width / (0.6 * letters)))
    extras = rng.randint(3, EXTRAS)
    while True:
        across = min(width, round(0.6 * letters * size))
        sheet = Sheet(width=across, height=height, face=face, size=size, leading=leading)
        try:
            _fill(sheet, layout, sale, look, extras=extras, rng=random.Random(state))
            return sheet
        except TightError:
            if size > least:
                size = max(least, int(size * 0.94))
            elif across < width:
                letters += 4
            elif leading > 1.25:
                leading = 1.2
            elif extras:
                extras -= min(2, extras)
            else:
                raise


def _look(sale: Sale, rng: random.Random) -> Look:
    rules = rng.choice((("-", "="), ("-", "-"), ("", "="), (".", "-"), ("|", "|"), ("*", "*"), ("=", "=")))
    return Look(
        language=sale.language,
        rule=rules[0],
        strong=rules[1],
        mark=rng.choice(("", "+", "-", "*", ">")),
        keys=rng.choice(("edge", "edge", "colon", "near")),
        word=rng.randrange(12),
        capitals=rng.random() < 0.3,
        centred=rng.random() < 0.7,
    )


def _fill(sheet: Sheet, layout: str, sale: Sale, look: Look, *, extras: int, rng: random.Random) -> None:
    """Fills a sheet from top to bottom; a strip has neither head nor farewell. Raises TightError."""
    is_whole = "menu" in sale.parse and "total" in sale.parse
    lines = _extras(sale, rng) if is_whole else []
    chosen = set(rng.sample(range(len(lines)), min(extras, len(lines))))
    shown: dict[str, list[str]] = {"top": [], "about": [], "end": []}
    for place, (where, text) in enumerate(lines):
        if place in chosen:
            shown[where].append(text)
    if is_whole:
        _heading(sheet, sale.shop, shown["top"], look, rng)
        for text in shown["about"]:
            sheet.row(Cell(text, room=sheet.width))
        if not shown["about"]:
            sheet.space(0.3)
        sheet.rule(look.strong)
    if sale.items:
        LAYOUTS[layout].arrange(sheet, sale.items, look)
    if void := sale.parse.get("void_menu"):
        left = sheet.wide("VOID") + sheet.gap
        right = sheet.width - sheet.wide(void["price"]) - sheet.gap
        cells = [Cell("VOID"), Cell(void["nm"], x=left, room=right - left)]
        sheet.row(*cells, Cell(void["price"], x=sheet.width, align="r"))
    if is_whole:
        sheet.rule(look.rule)
    if "total" in sale.parse:
        _sums(sheet, sale, look, rng)
    if shown["end"]:
        sheet.rule(look.rule if rng.random() < 0.5 else "")
    for text in shown["end"]:
        sheet.row(Cell(text, x=sheet.width / 2, align="c", room=sheet.width))


def _heading(sheet: Sheet, shop: str, lines: list[str], look: Look, rng: random.Random) -> None:
    """The shop's name, larger, and where it is."""
    name, scale = shop_name(shop, rng), rng.choice((1.0, 1.2, 1.4, 1.7))
    x = sheet.width / 2 if look.centred else 0.0
    align: Literal["l", "c"] = "c" if look.centred else "l"
    sheet.row(Cell(name, x=x, align=align, room=sheet.width), bold=True, scale=scale)
    for text in lines:
        sheet.row(Cell(text, x=x, align=align, room=sheet.width))


def _extras(sale: Sale, rng: random.Random) -> list[tuple[str, str]]:
    """Lines that say nothing of what was bought, with where each stands."""
    day, month, year = rng.randint(1, 28), rng.randint(1, 12), rng.randint(2015, 2025)
    date = rng.choice((f"{day:02d}/{month:02d}/{year}", f"{year}-{month:02d}-{day:02d}", f"{day}.{month}.{year}"))
    time = f"{rng.randint(7, 22):02d}:{rng.randint(0, 59):02d}"
    number = rng.randint(10**3, 10**7)
    language = sale.language
    who = f"{'Kasir' if language == 'id' else 'Cashier'}: {rng.choice(PEOPLE)}"
    where = f"{'Meja' if language == 'id' else 'Table'} {rng.randint(1, 40)}"
    about = [f"{date} {time}", f"{'No' if language == 'id' else 'Receipt'}: {number}", who, where]
    top = [f"{rng.choice(STREETS[language])} {rng.randint(1, 220)}", rng.choice(CITIES[language])]
    top.append(f"Tel {rng.randint(10**6, 10**9)}")
    end = [*rng.sample(THANKS[language], 2), rng.choice(("www.example.com", "Powered by POS", "* * *"))]
    return [("top", t) for t in top] + [("about", t) for t in about] + [("end", t) for t in end]


def _sums(sheet: Sheet, sale: Sale, look: Look, rng: random.Random) -> None:
    """What stands between the items and the total, the total, how it was paid, how many things there were."""
    above, total = sale.parse.get("sub_total", {}), sale.parse["total"]
    counts = {field: total[field] for field in ("menutype_cnt", "menuqty_cnt") if field in total}
    paid = {field: text for field, text in total.items() if field not in counts and field != "total_price"}
    first = rng.random() < 0.4
    rows = [*(counts.items() if first else ()), *above.items()]
    taken: set[str] = set()
    for field, text in rows:
        _sum(sheet, field, text, look, taken=taken, rate=sale.rates.get(field, ""))
    if rows:
        sheet.rule(look.rule if rng.random() < 0.6 else "")
    _sum(sheet, "total_price", total["total_price"], look, taken=taken, strong=rng.random() < 0.6)
    for field, text in [*paid.items(), *(() if first else counts.items())]:
        _sum(sheet, field, text, look, taken=taken)


def _sum(
    sheet: Sheet, field: str, text: str, look: Look, *, taken: set[str], rate: str = "", strong: bool = False
) -> None:
    """A word and its amount. No two rows have the same word."""
    words = KEYS[field][look.language]
    turned = [words[(look.word + k) % len(words)] for k in range(len(words))]
    word = next((w for w in turned if w.casefold() not in taken), turned[0])
    taken.add(word.casefold())
    if rate and look.word % 2:
        word = f"{word} {rate}"
    word = word.upper() if look.capitals else word
    if look.keys == "near":
        room = sheet.width - sheet.wide(text, bold=strong) - sheet.gap
        x = min(0.62 * sheet.width, room)
        sheet.row(Cell(word, x=x, align="r"), Cell(text, x=sheet.width, align="r"), bold=strong)
        return
    colon = [Cell(":", x=0.5 * sheet.width, align="r")] if look.keys == "colon" and text[0] != ":" else []
    sheet.row(Cell(word), *colon, Cell(text, x=sheet.width, align="r"), bold=strong)
