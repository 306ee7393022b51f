"""Generated receipts with CORD's fields."""

from circuitvlm.data.receipts.source import Drawn, Receipts, Split, drawn

__all__ = ["Drawn", "Receipts", "Split", "drawn"]
