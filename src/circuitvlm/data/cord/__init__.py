"""CORD v2: receipts and their fields."""

from circuitvlm.data.cord.source import MAX_IMAGE_BYTES, Cord

__all__ = ["MAX_IMAGE_BYTES", "Cord"]
