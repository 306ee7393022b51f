"""Read a netlist from text and write a circuit as a netlist."""

from circuitvlm.circuit.netlist.lexer import NetlistError
from circuitvlm.circuit.netlist.netlist import format, parse, parse_deck
from circuitvlm.circuit.netlist.ngspice import deck

__all__ = ["NetlistError", "deck", "format", "parse", "parse_deck"]
