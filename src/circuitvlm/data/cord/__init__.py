"""CORD v2: receipts and their fields."""

from circuitvlm.data.cord.source import Cord

__all__ = ["Cord"]
