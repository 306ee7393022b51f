"""Read and write numbers with units."""

from circuitvlm.circuit.quantity.quantity import (
    LARGEST,
    MINUS_SIGNS,
    SMALLEST,
    Quantity,
    QuantityComparison,
    QuantityError,
    compare,
    format_engineering,
    format_quantity,
    parse,
    parse_spice,
)
from circuitvlm.circuit.quantity.unit import UNITS

__all__ = [
    "LARGEST",
    "MINUS_SIGNS",
    "SMALLEST",
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
