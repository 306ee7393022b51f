"""Read a netlist from text and write a circuit as a netlist."""

from circuitvlm.circuit.netlist.netlist import NetlistError, deck, format, parse

__all__ = ["NetlistError", "deck", "format", "parse"]
