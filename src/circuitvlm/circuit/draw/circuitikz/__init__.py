"""Draw circuits in the look of CircuiTikZ, as CircuitSense does."""
