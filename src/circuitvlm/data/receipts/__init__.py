"""Generated receipts with CORD's fields."""

from circuitvlm.data.receipts.source import GeneratedReceipt, Receipts, Split, generate_receipt

__all__ = ["GeneratedReceipt", "Receipts", "Split", "generate_receipt"]
