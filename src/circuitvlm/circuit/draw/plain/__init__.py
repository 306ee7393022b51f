"""Draw circuits in the plain styles, with the outlines of schemdraw."""

from circuitvlm.circuit.draw.plain.drawing import draw

__all__ = ["draw"]
