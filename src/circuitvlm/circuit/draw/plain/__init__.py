"""Draw symbols, marks and wires in the plain styles, with outlines from schemdraw."""
