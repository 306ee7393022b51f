"""Format amounts of money in several currencies and number styles, exactly."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """One way to write amounts, which are integers in the smallest unit that is written.

    An amount has `decimals` digits after the `decimal_mark`; `prefix` or `suffix` is the currency's sign. List prices
    are multiples of `step`, and are computed from prices in coffees, of which one costs `coffee`.
    """

    language: str
    decimals: int
    thousands_mark: str
    decimal_mark: str = ""
    prefix: str = ""
    suffix: str = ""
    step: int
    coffee: int

    def format_number(self, amount: int) -> str:
        """The amount without the currency: 60.000, 12.50, -5,000."""
        whole, fraction = divmod(abs(amount), 10**self.decimals)
        text = f"{whole:,}".replace(",", self.thousands_mark)
        text += f"{self.decimal_mark}{fraction:0{self.decimals}d}" if self.decimals else ""
        return f"-{text}" if amount < 0 else text

    def format_currency(self, amount: int) -> str:
        """The amount with the currency: Rp 60.000, -$5.00."""
        return f"{'-' if amount < 0 else ''}{self.prefix}{self.format_number(abs(amount))}{self.suffix}"

    def list_price(self, coffees: float) -> int:
        """The price of so many coffees, rounded to the step, at least one step."""
        return max(1, round(coffees * self.coffee / self.step)) * self.step


_rupiah = partial(Money, language="id", decimals=0, step=500, coffee=24_000)
_cents = partial(Money, language="en", decimals=2, thousands_mark=",", decimal_mark=".")

MONEY: dict[str, Money] = {
    "rupiah_dot": _rupiah(thousands_mark="."),
    "rupiah_comma": _rupiah(thousands_mark=","),
    "rupiah_sign": _rupiah(thousands_mark=".", prefix="Rp "),
    "rupiah_tight": _rupiah(thousands_mark=",", prefix="Rp"),
    "rupiah_dash": _rupiah(thousands_mark=".", suffix=",-"),
    "rupiah_cents": _cents(language="id", prefix="IDR ", step=50_000, coffee=2_400_000),
    "dollar": _cents(prefix="$", step=5, coffee=450),
    "dollar_odd": _cents(prefix="$ ", step=1, coffee=450),
    "pound": _cents(prefix="£", step=5, coffee=450),
    "ringgit": _cents(prefix="RM ", step=10, coffee=900),
    "euro": _cents(thousands_mark=".", decimal_mark=",", suffix=" EUR", step=10, coffee=320),
    "yen": Money(language="en", decimals=0, thousands_mark=",", prefix="¥", step=10, coffee=420),
    "won": Money(language="en", decimals=0, thousands_mark=",", step=100, coffee=4_500),
}
"""The currencies and number styles by name."""
