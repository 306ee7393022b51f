"""Instructions with answers in free words, with or without an image."""

from circuitvlm.data.instructions.source import Instructions

__all__ = ["Instructions"]
