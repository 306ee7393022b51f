"""Draw circuits in the look of CircuiTikZ, as the benchmark CircuitSense does."""

from circuitvlm.circuit.draw.circuitikz.drawing import draw
from circuitvlm.circuit.draw.circuitikz.layout import place
from circuitvlm.circuit.draw.circuitikz.scale import natural_size

__all__ = ["draw", "natural_size", "place"]
