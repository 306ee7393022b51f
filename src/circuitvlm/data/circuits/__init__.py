"""Drawings of generated circuits with their netlists."""

from circuitvlm.data.circuits.source import Circuits

__all__ = ["Circuits"]
