"""Parse, compare and format numbers with units."""

from circuitvlm.circuit.quantity.quantity import (
    MINUS_SIGNS,
    Quantity,
    QuantityComparison,
    QuantityError,
    compare,
    format_engineering,
    format_quantity,
    parse,
    parse_spice,
)
from circuitvlm.circuit.quantity.unit import MAX_MAGNITUDE, MIN_MAGNITUDE, UNITS

__all__ = [
    "MAX_MAGNITUDE",
    "MINUS_SIGNS",
    "MIN_MAGNITUDE",
    "UNITS",
    "Quantity",
    "QuantityComparison",
    "QuantityError",
    "compare",
    "format_engineering",
    "format_quantity",
    "parse",
    "parse_spice",
]
