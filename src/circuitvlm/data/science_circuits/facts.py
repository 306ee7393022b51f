"""State the facts that questions are made of: components with their units, words, materials and numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Component:
    """A component with its letter in a netlist, the unit of its value, and the scientist whose name the unit has."""

    letter: str
    name: str
    unit: str
    scientist: str


COMPONENTS = (
    Component("R", "resistor", "ohm", "Georg Ohm"),
    Component("C", "capacitor", "farad", "Michael Faraday"),
    Component("L", "inductor", "henry", "Joseph Henry"),
    Component("V", "voltage source", "volt", "Alessandro Volta"),
    Component("I", "current source", "ampere", "André-Marie Ampère"),
)

DEVICES = ("ammeter", "voltmeter", "ohmmeter", "oscilloscope", "fuse", "switch", "diode", "transistor", "transformer",
           "generator", "motor", "battery", "lamp", "loudspeaker", "microphone", "antenna", "thermistor")  # fmt: skip

NOUNS = ("resistor", "capacitor", "inductor", "battery", "electron", "ammeter", "voltmeter", "diode", "transistor",
         "amplifier", "voltage", "resistance", "capacitance", "frequency", "circuit", "antenna", "oscillator",
         "generator", "magnet", "conductor", "insulator", "terminal")  # fmt: skip
VERBS = ("insulate", "amplify", "rectify", "oscillate", "attenuate", "dissipate", "magnetize", "energize", "electrify",
         "connect", "disconnect", "generate", "transmit", "receive", "modulate", "regulate")  # fmt: skip
ADJECTIVES = ("electric", "resistive", "capacitive", "inductive", "magnetic", "conductive", "linear", "digital",
              "electronic", "metallic", "thermal", "sinusoidal", "variable", "portable")  # fmt: skip
VOWELS = "aeiou"
"""The first letters of those words that have the article "an"; none begins with a silent h or a spoken "you"."""

CONDUCTORS = ("copper", "silver", "aluminium", "gold", "iron", "brass", "steel", "nickel", "tin", "zinc")
INSULATORS = ("rubber", "glass", "plastic", "porcelain", "dry wood", "paper", "amber", "wax", "silk", "mica")

PREFIXES = {"m": 1e-3, "": 1.0, "k": 1e3, "M": 1e6}
DIGITS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 15, 18, 22, 27, 33, 39, 47, 56, 68, 82)
"""The numbers before a prefix."""
