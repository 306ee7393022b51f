"""Generate random circuits and questions about them, each alone from (seed, index)."""

from circuitvlm.circuit.generate.generate import SINGLE, Item, item

__all__ = ["SINGLE", "Item", "item"]
