"""What is asked with the same choices in the same order each time? Such a question needs no search for its letter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from circuitvlm.data.science_circuits import physics, picture
from circuitvlm.data.science_circuits.facts import (
    ADJECTIVES,
    CONDUCTORS,
    INSULATORS,
    NOUNS,
    PARTS,
    TERMS,
    VERBS,
    VOWELS,
)
from circuitvlm.data.science_circuits.problem import LANGUAGE, NATURAL, SOCIAL, Draft, Template, template

_NO_YES = ("no", "yes")
_FIRST_SECOND = ("the first", "the second")
_CENTURIES = ("in the eighteenth century", "in the nineteenth century", "in the twentieth century")
_HALVES = ("in the first half", "in the second half")
_PAPERS = ("letter", "patent", "book", "drawing", "receipt", "photograph", "contract", "map", "poster", "diary")
_SHAPES = ("wire", "rod", "plate", "tube", "ring", "sheet", "handle", "foil")


def _stated(right: str, order: Sequence[str], *, question: str, hint: str = "") -> Draft:
    return Draft(
        question=question, hint=hint, right=right, wrong=[text for text in order if text != right], order=order
    )


def ordered(of: Template, *choices: str) -> Template:
    """The template with all of its choices, always in this order."""

    def draft(rng: Random) -> Draft:
        return replace(of.draft(rng), order=choices)

    return replace(of, draft=draft)


@template(NATURAL, topic="units and measurement", category="Prefixes", skill="Compare two", grades=(4, 9))
def which_is_less(rng: Random) -> Draft:
    sign, many = rng.choice("VAW"), [(p, digits) for p in physics.PREFIXES for digits in physics.DIGITS]
    one, two = rng.sample(many, 2)
    more = physics.PREFIXES[one[0]] * one[1] > physics.PREFIXES[two[0]] * two[1]  # never equal: of below 1000 each
    question = f"Which of {one[1]} {one[0]}{sign} and {two[1]} {two[0]}{sign} is less?"
    return _stated(_FIRST_SECOND[more], _FIRST_SECOND, question=question)


@template(NATURAL, topic="chemistry", category="Materials", skill="Tell conductors", grades=(2, 6))
def conducts(rng: Random) -> Draft:
    of = rng.choice((*CONDUCTORS, *INSULATORS))
    return _stated(_NO_YES[of in CONDUCTORS], _NO_YES, question=f"Does a {rng.choice(_SHAPES)} of {of} conduct?")


@template(
    NATURAL, topic="physics", category="Series and parallel", skill="Compare resistances", grades=(5, 10),
    lecture="In series resistances add up; in parallel the current has more ways.",
)  # fmt: skip
def more_than_each(rng: Random) -> Draft:
    one, two = rng.sample(range(2, 100), 2)
    way = rng.choice((picture.SERIES, picture.PARALLEL))
    question = f"Resistors of {one} Ω and {two} Ω are {way}. Is their total resistance more or less than either?"
    return _stated("more" if way == picture.SERIES else "less", ("more", "less"), question=question)


@template(LANGUAGE, topic="reference skills", category="Dictionary", skill="Order by the alphabet", grades=(2, 5))
def last_of_two(rng: Random) -> Draft:
    one, two = rng.sample(tuple(TERMS), 2)
    question = f"Which of {one} and {two} is last in the dictionary?"
    return _stated(_FIRST_SECOND[one < two], _FIRST_SECOND, question=question)


@template(LANGUAGE, topic="grammar", category="Articles", skill="Choose between a and an", grades=(1, 5))
def article(rng: Random) -> Draft:
    right = rng.choice(("a", "an"))
    word = rng.choice([word for word in ADJECTIVES if (word[0] in VOWELS) == (right == "an")])
    question = f"Which article stands before {word} {rng.choice((*NOUNS, *TERMS))}?"
    return _stated(right, ("a", "an"), question=question)


@template(LANGUAGE, topic="grammar", category="Parts of speech", skill="Tell verbs from other words", grades=(3, 7))
def both_nouns(rng: Random) -> Draft:
    one, two = rng.sample((*NOUNS, *VERBS), 2)
    right = _NO_YES[one in NOUNS and two in NOUNS]
    return _stated(right, _NO_YES, question="Are both of the words nouns?", hint=f"{one}, {two}")


@template(LANGUAGE, topic="grammar", category="Sentences", skill="Find subject and object", grades=(7, 9))
def subject_or_object(rng: Random) -> Draft:
    one, two = rng.sample(tuple(TERMS), 2)
    right = rng.choice(("subject", "object"))
    return _stated(
        right,
        ("subject", "object"),
        question=f"Is the {one if right == 'subject' else two} the subject or the object?",
        hint=f"The {one} {rng.choice(('feeds', 'protects', 'follows', 'heats'))} the {two}.",
    )


@template(SOCIAL, topic="world history", category="Time", skill="Name a century", grades=(2, 6))
def century_of(rng: Random) -> Draft:
    year = _year(rng)
    question = f"A {rng.choice(_PAPERS)} is from the year {year}. When was that?"
    return _stated(_CENTURIES[year // 100 - 17], _CENTURIES, question=question)


@template(SOCIAL, topic="world history", category="Time", skill="Tell halves of a century", grades=(7, 12))
def half_of_century(rng: Random) -> Draft:
    year = _year(rng)
    return _stated(
        _HALVES[year % 100 > 50],
        _HALVES,
        question="Was that in the first or the second half of its century?",
        hint=f"A {rng.choice(_PAPERS)} is from the year {year}.",
    )


def _year(rng: Random) -> int:
    """Of three centuries, whose last years are left out: to which one these belong is disputed."""
    return rng.choice([year for year in range(1711, 1990) if year % 100])


@template(SOCIAL, topic="world history", category="Time", skill="Compare years", grades=(1, 4))
def earlier_year(rng: Random) -> Draft:
    one, two = rng.sample(range(1750, 2021), 2)
    question = f"Which of the years {one} and {two} is the earlier one?"
    return _stated(_FIRST_SECOND[one > two], _FIRST_SECOND, question=question)


_names = tuple(part.name for part in PARTS)
EXAM = (
    ordered(picture.component_shown, *_names),
    ordered(picture.unit_of_shown, *(part.unit for part in PARTS)),
    ordered(picture.honoured_by_shown, *(picture.PERSON[part.unit] for part in PARTS)),
    ordered(picture.letter_of_shown, *(part.letter for part in PARTS)),
    ordered(picture.series_or_parallel, picture.SERIES, picture.PARALLEL),
    ordered(picture.how_many, *picture.COUNTED.values()),
    ordered(physics.current_changes, *physics.CHANGES),
    more_than_each, conducts, article, both_nouns, subject_or_object, century_of, half_of_century,
)  # fmt: skip
_seen = (ordered(picture.beside, *_names), ordered(picture.is_there, *_NO_YES))
PRIMER = (*_seen, *_seen, *_seen, which_is_less, last_of_two, earlier_year)
"""Pictures more often: what they show takes longer to learn."""
