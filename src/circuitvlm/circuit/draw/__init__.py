"""Draw a circuit as SVG or pixels, in a named style."""

from circuitvlm.circuit.draw.draw import crowding, image, pixels, size_of, svg
from circuitvlm.circuit.draw.styles import STYLES, style_named

__all__ = ["STYLES", "crowding", "image", "pixels", "size_of", "style_named", "svg"]
