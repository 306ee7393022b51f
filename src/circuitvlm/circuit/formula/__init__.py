"""Parse formulas from LaTeX and plain mathematics without executing them."""
