"""Solve circuits: voltages and currents as numbers, transfer functions as formulas."""
