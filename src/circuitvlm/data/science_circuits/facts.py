"""What is known about circuits, for questions about them? Units, people, years, words and materials.

Only what every textbook agrees on: a year is that of a publication, a patent or a first showing, a country is the one
in which the place of birth lies today.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of measurement that bears a name."""

    quantity: str
    name: str
    sign: str
    person: str
    country: str


@dataclass(frozen=True, slots=True)
class Event:
    """Who did what, and when."""

    year: int
    person: str
    deed: str
    country: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """A component with one letter: what it does, and whose unit its value has."""

    letter: str
    name: str
    job: str
    unit: str


UNITS = (
    Unit("voltage", "volt", "V", "Alessandro Volta", "Italy"),
    Unit("electric current", "ampere", "A", "André-Marie Ampère", "France"),
    Unit("resistance", "ohm", "Ω", "Georg Ohm", "Germany"),
    Unit("capacitance", "farad", "F", "Michael Faraday", "England"),
    Unit("inductance", "henry", "H", "Joseph Henry", "the United States"),
    Unit("power", "watt", "W", "James Watt", "Scotland"),
    Unit("energy", "joule", "J", "James Joule", "England"),
    Unit("electric charge", "coulomb", "C", "Charles Coulomb", "France"),
    Unit("frequency", "hertz", "Hz", "Heinrich Hertz", "Germany"),
    Unit("conductance", "siemens", "S", "Werner von Siemens", "Germany"),
    Unit("magnetic flux", "weber", "Wb", "Wilhelm Weber", "Germany"),
    Unit("magnetic flux density", "tesla", "T", "Nikola Tesla", "Croatia"),
)

EVENTS = (
    Event(1800, "Alessandro Volta", "described the first battery", "Italy"),
    Event(1820, "Hans Christian Ørsted", "found that a current moves a compass needle", "Denmark"),
    Event(1827, "Georg Ohm", "published the law of resistance", "Germany"),
    Event(1831, "Michael Faraday", "discovered electromagnetic induction", "England"),
    Event(1839, "Edmond Becquerel", "discovered the photovoltaic effect", "France"),
    Event(1845, "Gustav Kirchhoff", "stated the two laws of circuits"),
    Event(1859, "Gaston Planté", "invented the lead-acid battery", "France"),
    Event(1873, "James Clerk Maxwell", "published a treatise on electricity and magnetism", "Scotland"),
    Event(1876, "Alexander Graham Bell", "was granted a patent for the telephone", "Scotland"),
    Event(1879, "Edwin Hall", "discovered the Hall effect", "the United States"),
    Event(1882, "Thomas Edison", "opened a power station in New York", "the United States"),
    Event(1897, "J. J. Thomson", "discovered the electron", "England"),
    Event(1901, "Guglielmo Marconi", "received a radio signal across the Atlantic", "Italy"),
    Event(1904, "John Ambrose Fleming", "invented the vacuum diode", "England"),
    Event(1911, "Heike Kamerlingh Onnes", "discovered superconductivity", "the Netherlands"),
    Event(1947, "John Bardeen and Walter Brattain", "showed the first transistor"),
    Event(1958, "Jack Kilby", "built an integrated circuit", "the United States"),
    Event(1962, "Nick Holonyak", "made a diode that gives visible light", "the United States"),
    Event(1965, "Gordon Moore", "wrote the article behind Moore's law", "the United States"),
    Event(1971, "Leon Chua", "described the memristor"),
)

BORN = {each.person: each.country for each in (*UNITS, *EVENTS) if each.country}
"""Person -> country."""

PARTS = (
    Part("R", "resistor", "limits the current", "ohm"),
    Part("C", "capacitor", "stores energy in an electric field", "farad"),
    Part("L", "inductor", "stores energy in a magnetic field", "henry"),
    Part("V", "voltage source", "keeps the voltage between its ends", "volt"),
    Part("I", "current source", "keeps the current through it", "ampere"),
)

TERMS = {
    "ammeter": "measures current",
    "voltmeter": "measures voltage",
    "ohmmeter": "measures resistance",
    "oscilloscope": "shows a voltage over time",
    "fuse": "melts when the current is too large",
    "switch": "opens and closes a circuit",
    "diode": "lets current pass in one direction only",
    "transistor": "amplifies or switches a signal",
    "transformer": "changes an alternating voltage to another one",
    "generator": "turns motion into electricity",
    "motor": "turns electricity into motion",
    "battery": "stores energy chemically",
    "lamp": "turns electricity into light",
    "loudspeaker": "turns electricity into sound",
    "microphone": "turns sound into electricity",
    "antenna": "sends or receives radio waves",
    "thermistor": "changes its resistance with temperature",
}

ABBREVIATIONS = {
    "DC": "direct current",
    "AC": "alternating current",
    "LED": "light-emitting diode",
    "PCB": "printed circuit board",
    "IC": "integrated circuit",
    "CPU": "central processing unit",
    "RAM": "random-access memory",
    "EMF": "electromotive force",
    "RMS": "root mean square",
    "USB": "universal serial bus",
    "LCD": "liquid-crystal display",
    "ADC": "analog-to-digital converter",
    "DAC": "digital-to-analog converter",
    "PWM": "pulse-width modulation",
    "FET": "field-effect transistor",
    "BJT": "bipolar junction transistor",
    "LDR": "light-dependent resistor",
    "KCL": "Kirchhoff's current law",
}

NOUNS = ("resistor", "capacitor", "inductor", "battery", "electron", "ammeter", "voltmeter", "diode", "transistor",
         "amplifier", "voltage", "resistance", "capacitance", "frequency", "circuit", "antenna", "oscillator",
         "generator", "magnet", "conductor", "insulator", "terminal")  # fmt: skip
VERBS = ("insulate", "amplify", "rectify", "oscillate", "attenuate", "dissipate", "magnetize", "energize", "electrify",
         "connect", "disconnect", "generate", "transmit", "receive", "modulate", "regulate")  # fmt: skip
ADJECTIVES = ("electric", "resistive", "capacitive", "inductive", "magnetic", "conductive", "linear", "digital",
              "electronic", "metallic", "thermal", "sinusoidal", "variable", "portable")  # fmt: skip
WORDS = (*NOUNS, *VERBS, *ADJECTIVES)
VOWELS = "aeiou"
"""With which of these words the article is "an": none of them begins with a silent h or a spoken "you"."""

CONDUCTORS = ("copper", "silver", "aluminium", "gold", "iron", "brass", "steel", "nickel", "tin", "zinc")
INSULATORS = ("rubber", "glass", "plastic", "porcelain", "dry wood", "paper", "amber", "wax", "silk", "mica")


def misspelt(rng: Random, word: str) -> str:
    """The word with two neighbouring letters exchanged, a letter doubled, or one left out: no word of ours."""
    while True:
        k, way = rng.randrange(1, len(word) - 1), rng.randrange(3)
        found = (
            word[:k] + word[k + 1] + word[k] + word[k + 2 :],
            word[:k] + word[k] + word[k:],
            word[:k] + word[k + 1 :],
        )[way]
        if found != word and found not in WORDS:
            return found
