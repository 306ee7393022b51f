"""What is asked about the physics of circuits, without a picture?"""

from __future__ import annotations

from random import Random

from circuitvlm.data.science_circuits.facts import CONDUCTORS, INSULATORS, PARTS, UNITS
from circuitvlm.data.science_circuits.problem import NATURAL, Draft, near, others, template

PREFIXES = {"m": 1e-3, "": 1.0, "k": 1e3, "M": 1e6}
DIGITS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 15, 18, 22, 27, 33, 39, 47, 56, 68, 82)
CHANGES = ("It grows.", "It becomes less.", "It stays the same.")


@template(
    NATURAL, topic="physics", category="Ohm's law", skill="Calculate a voltage", grades=(7, 12),
    lecture="Voltage is resistance times current.",
)  # fmt: skip
def ohms_law(rng: Random) -> Draft:
    ohms, amperes = rng.randint(2, 12), rng.randint(2, 9)
    volts = ohms * amperes
    return Draft(
        question="What is the voltage across the resistor?",
        hint=f"A resistor of {ohms} Ω carries {amperes} A.",
        right=f"{volts} V",
        wrong=near(rng, volts, also=(ohms + amperes,), unit=" V"),
        solution=f"{ohms} Ω times {amperes} A is {volts} V.",
    )


@template(
    NATURAL, topic="physics", category="Series and parallel", skill="Add resistances in series", grades=(5, 10),
    lecture="Resistances in series add up.",
)  # fmt: skip
def series_total(rng: Random) -> Draft:
    one, two = rng.randint(2, 40), rng.randint(2, 40)
    return Draft(
        question="Two resistors are in series. What is their total resistance?",
        hint=f"One has {one} Ω, the other {two} Ω.",
        right=f"{one + two} Ω",
        wrong=near(rng, one + two, also=(abs(one - two), max(one, two)), unit=" Ω"),
        solution=f"{one} Ω and {two} Ω are {one + two} Ω.",
    )


@template(
    NATURAL, topic="physics", category="Series and parallel", skill="Halve equal resistances", grades=(7, 12),
    lecture="Two equal resistances in parallel are half of one.",
)  # fmt: skip
def parallel_total(rng: Random) -> Draft:
    half = rng.randint(2, 50)
    return Draft(
        question=f"Two resistors of {2 * half} Ω are in parallel. What is their total resistance?",
        right=f"{half} Ω",
        wrong=[f"{2 * half} Ω", f"{4 * half} Ω", *near(rng, half, unit=" Ω")],
        solution=f"Half of {2 * half} Ω is {half} Ω.",
    )


@template(NATURAL, topic="physics", category="Units", skill="Choose a unit", grades=(4, 9))
def unit_of_quantity(rng: Random) -> Draft:
    unit = rng.choice(UNITS)
    return Draft(
        question=f"In which unit is {unit.quantity} measured?",
        right=unit.name,
        wrong=others(rng, [u.name for u in UNITS], unit.name),
        solution=f"The unit of {unit.quantity} is the {unit.name}.",
    )


@template(NATURAL, topic="physics", category="Units", skill="Choose a quantity", grades=(4, 9))
def quantity_of_unit(rng: Random) -> Draft:
    unit = rng.choice(UNITS)
    return Draft(
        question=f"What does one measure in {unit.sign}?",
        right=unit.quantity,
        wrong=others(rng, [u.quantity for u in UNITS], unit.quantity),
        solution=f"The unit of {unit.quantity} is the {unit.name}, {unit.sign}.",
    )


@template(
    NATURAL, topic="physics", category="Ohm's law", skill="Predict a change", grades=(6, 11),
    lecture="Current is voltage divided by resistance.",
)  # fmt: skip
def current_changes(rng: Random) -> Draft:
    cause, grows = rng.choice((
        ("The resistance is made larger", False), ("The resistance is made smaller", True),
        ("The voltage is made larger", True), ("The voltage is made smaller", False),
        ("A second resistor is added in series", False), ("A second resistor is added in parallel", True),
    ))  # fmt: skip
    volts, ohms = rng.randint(2, 24), rng.choice(DIGITS)
    more, less, same = CHANGES
    return Draft(
        question="What happens to the current from the battery?",
        hint=f"A resistor of {ohms} Ω is at a battery of {volts} V. {cause}.",
        right=more if grows else less,
        wrong=(less if grows else more, same),
    )


def _ranked(rng: Random, sign: str, *, largest: bool) -> Draft:
    """Five quantities of one unit, all different, of which one is the largest or the smallest."""
    made = {f"{digits} {prefix}{sign}": digits * factor for prefix, factor in PREFIXES.items() for digits in DIGITS}
    several = rng.sample(sorted(made), 5)
    while len({made[text] for text in several}) < len(several):
        several = rng.sample(sorted(made), 5)
    right = (max if largest else min)(several, key=lambda text: made[text])
    word, what = "largest" if largest else "smallest", {"Ω": "resistances", "V": "voltages", "A": "currents"}[sign]
    return Draft(
        question=f"Which of these {what} is the {word}?",
        right=right,
        wrong=[text for text in several if text != right],
        solution=f"The {word} is {right}.",
    )


@template(NATURAL, topic="units and measurement", category="Prefixes", skill="Compare resistances", grades=(6, 12))
def largest_resistance(rng: Random) -> Draft:
    return _ranked(rng, "Ω", largest=True)


@template(NATURAL, topic="units and measurement", category="Prefixes", skill="Compare quantities", grades=(6, 12))
def ranked_quantity(rng: Random) -> Draft:
    return _ranked(rng, rng.choice("VA"), largest=rng.random() < 0.5)


@template(NATURAL, topic="chemistry", category="Materials", skill="Tell insulators", grades=(2, 6))
def insulator(rng: Random) -> Draft:
    right = rng.choice(INSULATORS)
    return Draft(
        question="Which of these materials is an insulator?",
        right=right,
        wrong=rng.sample(CONDUCTORS, 4),
        solution=f"{right} does not conduct.",
    )


@template(NATURAL, topic="chemistry", category="Materials", skill="Tell conductors", grades=(2, 6))
def conductor(rng: Random) -> Draft:
    right = rng.choice(CONDUCTORS)
    return Draft(
        question="Of what would you make a wire?",
        right=right,
        wrong=rng.sample(INSULATORS, 4),
        solution=f"{right} conducts.",
    )


@template(NATURAL, topic="physics", category="Components", skill="Say what a component does", grades=(5, 10))
def job_of_part(rng: Random) -> Draft:
    part = rng.choice(PARTS)
    place = rng.choice(("in a filter", "in a radio", "in an amplifier", "in a power supply", "on a circuit board"))
    return Draft(
        question=f"What does the {part.name} {place} do?",
        right=f"It {part.job}.",
        wrong=[f"It {job}." for job in others(rng, [p.job for p in PARTS], part.job, count=2)],
    )


@template(NATURAL, topic="physics", category="Components", skill="Choose a component", grades=(5, 10))
def part_of_job(rng: Random) -> Draft:
    part = rng.choice(PARTS)
    return Draft(
        question=f"Which component {part.job}?",
        right=part.name,
        wrong=[p.name for p in PARTS if p is not part],
        solution=f"A {part.name} {part.job}.",
    )


@template(NATURAL, topic="physics", category="Batteries", skill="Add voltages", grades=(4, 9))
def batteries(rng: Random) -> Draft:
    one, two = rng.randint(2, 40), rng.randint(2, 40)
    return Draft(
        question=f"Batteries of {one} V and {two} V stand in a row. How much do they give together?",
        right=f"{one + two} V",
        wrong=near(rng, one + two, also=(abs(one - two), max(one, two)), unit=" V"),
        solution=f"{one} V and {two} V are {one + two} V.",
    )


@template(NATURAL, topic="physics", category="Charge", skill="Multiply current and time", grades=(7, 12))
def charge(rng: Random) -> Draft:
    amperes, seconds = rng.randint(2, 12), rng.randint(2, 9)
    return Draft(
        question=f"A current of {amperes} A flows for {seconds} s. How much charge is that?",
        right=f"{amperes * seconds} C",
        wrong=near(rng, amperes * seconds, also=(amperes + seconds,), unit=" C"),
        solution=f"{amperes} A times {seconds} s is {amperes * seconds} C.",
    )


TEMPLATES = (
    ohms_law, series_total, parallel_total, unit_of_quantity, current_changes, largest_resistance, insulator,
    job_of_part, quantity_of_unit, ranked_quantity, conductor, part_of_job, batteries, charge,
)  # fmt: skip
