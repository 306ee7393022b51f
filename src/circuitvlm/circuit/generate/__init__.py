"""Generate random circuits and questions about them; each depends on (seed, index) alone."""

from circuitvlm.circuit.generate.basic import SINGLE, Item, item

__all__ = ["SINGLE", "Item", "item"]
