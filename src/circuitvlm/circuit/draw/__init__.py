"""Draw a circuit as SVG text, as a PNG or as pixels, in a named style."""

from circuitvlm.circuit.draw.render import default_size, image, overlap_area, pixels, svg
from circuitvlm.circuit.draw.styles import STYLES, find_style

__all__ = ["STYLES", "default_size", "find_style", "image", "overlap_area", "pixels", "svg"]
