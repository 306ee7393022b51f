"""How is an amount printed? Currencies and ways to write numbers, exact in the currency's smallest unit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """One way to write amounts, which are counted in the smallest unit that is written.

    `digits` stand after `mark`; `before` and `after` are the currency's sign. Prices are multiples of `step`, and
    `coffee` is what a coffee costs: by it prices of all currencies are made of the same list.
    """

    language: str
    digits: int
    thousands: str
    mark: str = ""
    before: str = ""
    after: str = ""
    step: int
    coffee: int

    def plain(self, amount: int) -> str:
        """The amount without the currency: 60.000, 12.50, -5,000."""
        whole, part = divmod(abs(amount), 10**self.digits)
        text = f"{whole:,}".replace(",", self.thousands)
        text += f"{self.mark}{part:0{self.digits}d}" if self.digits else ""
        return f"-{text}" if amount < 0 else text

    def signed(self, amount: int) -> str:
        """The amount with the currency: Rp 60.000, -$5.00."""
        return f"{'-' if amount < 0 else ''}{self.before}{self.plain(abs(amount))}{self.after}"

    def price(self, coffees: float) -> int:
        """What so many coffees cost: a price that may stand on a list."""
        return max(1, round(coffees * self.coffee / self.step)) * self.step


def _rupiah(thousands: str, *, before: str = "", after: str = "") -> Money:
    return Money(language="id", digits=0, thousands=thousands, before=before, after=after, step=500, coffee=24_000)


def _cents(before: str, *, step: int = 5, coffee: int = 450) -> Money:
    return Money(language="en", digits=2, thousands=",", mark=".", before=before, step=step, coffee=coffee)


MONEY: dict[str, Money] = {
    "rupiah_dot": _rupiah("."),
    "rupiah_comma": _rupiah(","),
    "rupiah_sign": _rupiah(".", before="Rp "),
    "rupiah_tight": _rupiah(",", before="Rp"),
    "rupiah_dash": _rupiah(".", after=",-"),
    "rupiah_cents": Money(
        language="id", digits=2, thousands=",", mark=".", before="IDR ", step=50_000, coffee=2_400_000
    ),
    "dollar": _cents("$"),
    "dollar_odd": _cents("$ ", step=1),
    "pound": _cents("£"),
    "ringgit": _cents("RM ", step=10, coffee=900),
    "euro": Money(language="en", digits=2, thousands=".", mark=",", after=" EUR", step=10, coffee=320),
    "yen": Money(language="en", digits=0, thousands=",", before="¥", step=10, coffee=420),
    "won": Money(language="en", digits=0, thousands=",", step=100, coffee=4_500),
}
"""The currencies and number styles that there are, by name."""
