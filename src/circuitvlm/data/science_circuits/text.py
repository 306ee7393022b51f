"""Define the templates of questions without a picture."""

from __future__ import annotations

from random import Random

from circuitvlm.data.science_circuits.facts import (
    ADJECTIVES,
    CONDUCTORS,
    DEVICES,
    DIGITS,
    INSULATORS,
    NOUNS,
    PREFIXES,
    VERBS,
    VOWELS,
)
from circuitvlm.data.science_circuits.picture import NO_YES, PARALLEL, SERIES
from circuitvlm.data.science_circuits.problem import LANGUAGE, NATURAL, SOCIAL, Draft, template

_FIRST_SECOND = ("the first", "the second")
_CHANGES = ("It grows.", "It becomes less.", "It stays the same.")
_CAUSES = (
    ("The resistance is made larger", False), ("The resistance is made smaller", True),
    ("The voltage is made larger", True), ("The voltage is made smaller", False),
    ("A second resistor is added in series", False), ("A second resistor is added in parallel", True),
)  # fmt: skip
"""What happens to a circuit, and whether the current grows."""

_CENTURIES = ("in the eighteenth century", "in the nineteenth century", "in the twentieth century")
_HALVES = ("in the first half", "in the second half")
_PAPERS = ("letter", "patent", "book", "drawing", "receipt", "photograph", "contract", "map", "poster", "diary")
_SHAPES = ("wire", "rod", "plate", "tube", "ring", "sheet", "handle", "foil")


@template(
    NATURAL, topic="physics", category="Ohm's law", skill="Predict a change", grades=(6, 11),
    lecture="Current is voltage divided by resistance.",
)  # fmt: skip
def current_changes(rng: Random) -> Draft:
    cause, grows = rng.choice(_CAUSES)
    volts, ohms = rng.randint(2, 24), rng.choice(DIGITS)
    return Draft(
        question="What happens to the current from the battery?",
        hint=f"A resistor of {ohms} Ω is at a battery of {volts} V. {cause}.",
        choices=_CHANGES,
        answer=_CHANGES[not grows],
    )


@template(NATURAL, topic="units and measurement", category="Prefixes", skill="Compare two", grades=(4, 9))
def which_is_less(rng: Random) -> Draft:
    unit = rng.choice("VAW")
    (first_prefix, first), (second_prefix, second) = rng.sample(
        [(prefix, digits) for prefix in PREFIXES for digits in DIGITS], 2
    )
    first_is_more = PREFIXES[first_prefix] * first > PREFIXES[second_prefix] * second  # never equal: digits below 1000
    return Draft(
        question=f"Which of {first} {first_prefix}{unit} and {second} {second_prefix}{unit} is less?",
        choices=_FIRST_SECOND,
        answer=_FIRST_SECOND[first_is_more],
    )


@template(NATURAL, topic="chemistry", category="Materials", skill="Tell conductors", grades=(2, 6))
def conducts(rng: Random) -> Draft:
    material = rng.choice((*CONDUCTORS, *INSULATORS))
    return Draft(
        question=f"Does a {rng.choice(_SHAPES)} of {material} conduct?",
        choices=NO_YES,
        answer=NO_YES[material in CONDUCTORS],
    )


@template(
    NATURAL, topic="physics", category="Series and parallel", skill="Compare resistances", grades=(5, 10),
    lecture="In series resistances add up; in parallel the current has more ways.",
)  # fmt: skip
def more_than_each(rng: Random) -> Draft:
    first, second = rng.sample(range(2, 100), 2)
    connection = rng.choice((SERIES, PARALLEL))
    return Draft(
        question=(
            f"Resistors of {first} Ω and {second} Ω are {connection}. Is their total resistance more or less than "
            "either?"
        ),
        choices=("more", "less"),
        answer="more" if connection == SERIES else "less",
    )


@template(LANGUAGE, topic="reference skills", category="Dictionary", skill="Order by the alphabet", grades=(2, 5))
def last_of_two(rng: Random) -> Draft:
    first, second = rng.sample(DEVICES, 2)
    return Draft(
        question=f"Which of {first} and {second} is last in the dictionary?",
        choices=_FIRST_SECOND,
        answer=_FIRST_SECOND[first < second],
    )


@template(LANGUAGE, topic="grammar", category="Articles", skill="Choose between a and an", grades=(1, 5))
def article(rng: Random) -> Draft:
    answer = rng.choice(("a", "an"))
    word = rng.choice([word for word in ADJECTIVES if (word[0] in VOWELS) == (answer == "an")])
    return Draft(
        question=f"Which article stands before {word} {rng.choice((*NOUNS, *DEVICES))}?",
        choices=("a", "an"),
        answer=answer,
    )


@template(LANGUAGE, topic="grammar", category="Parts of speech", skill="Tell verbs from other words", grades=(3, 7))
def both_nouns(rng: Random) -> Draft:
    words = rng.sample((*NOUNS, *VERBS), 2)
    return Draft(
        question="Are both of the words nouns?",
        hint=", ".join(words),
        choices=NO_YES,
        answer=NO_YES[all(word in NOUNS for word in words)],
    )


@template(LANGUAGE, topic="grammar", category="Sentences", skill="Find subject and object", grades=(7, 9))
def subject_or_object(rng: Random) -> Draft:
    agent, patient = rng.sample(DEVICES, 2)
    answer = rng.choice(("subject", "object"))
    return Draft(
        question=f"Is the {agent if answer == 'subject' else patient} the subject or the object?",
        hint=f"The {agent} {rng.choice(('feeds', 'protects', 'follows', 'heats'))} the {patient}.",
        choices=("subject", "object"),
        answer=answer,
    )


@template(SOCIAL, topic="world history", category="Time", skill="Name a century", grades=(2, 6))
def century_of(rng: Random) -> Draft:
    year = _year(rng)
    return Draft(
        question=f"A {rng.choice(_PAPERS)} is from the year {year}. When was that?",
        choices=_CENTURIES,
        answer=_CENTURIES[year // 100 - 17],
    )


@template(SOCIAL, topic="world history", category="Time", skill="Tell halves of a century", grades=(7, 12))
def half_of_century(rng: Random) -> Draft:
    year = _year(rng)
    return Draft(
        question="Was that in the first or the second half of its century?",
        hint=f"A {rng.choice(_PAPERS)} is from the year {year}.",
        choices=_HALVES,
        answer=_HALVES[year % 100 > 50],
    )


def _year(rng: Random) -> int:
    """A year of three centuries, without their last years, whose century is disputed."""
    return rng.choice([year for year in range(1711, 1990) if year % 100])


@template(SOCIAL, topic="world history", category="Time", skill="Compare years", grades=(1, 4))
def earlier_year(rng: Random) -> Draft:
    first, second = rng.sample(range(1750, 2021), 2)
    return Draft(
        question=f"Which of the years {first} and {second} is the earlier one?",
        choices=_FIRST_SECOND,
        answer=_FIRST_SECOND[first > second],
    )
