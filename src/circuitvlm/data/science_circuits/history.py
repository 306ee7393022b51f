"""What is asked about the history of circuits, without a picture?"""

from __future__ import annotations

from random import Random

from circuitvlm.data.science_circuits.facts import BORN, EVENTS, UNITS
from circuitvlm.data.science_circuits.problem import SOCIAL, Draft, others, template


@template(SOCIAL, topic="world history", category="Units", skill="Know whom units are named after", grades=(4, 10))
def named_after(rng: Random) -> Draft:
    unit = rng.choice(UNITS)
    return Draft(
        question=f"Who is the unit {unit.name} named after?",
        right=unit.person,
        wrong=others(rng, [u.person for u in UNITS], unit.person),
        solution=f"The {unit.name} is named after {unit.person}.",
    )


@template(SOCIAL, topic="world history", category="Units", skill="Know the unit of a person", grades=(4, 10))
def unit_of_person(rng: Random) -> Draft:
    unit = rng.choice(UNITS)
    return Draft(
        question=f"Which unit honours {unit.person}?",
        right=unit.name,
        wrong=others(rng, [u.name for u in UNITS], unit.name),
        solution=f"The {unit.name} honours {unit.person}.",
    )


@template(SOCIAL, topic="world history", category="Inventions", skill="Know a year", grades=(7, 12))
def year_of(rng: Random) -> Draft:
    event = rng.choice(EVENTS)
    return Draft(
        question=f"In which year was it that {event.person} {event.deed}?",
        right=str(event.year),
        wrong=others(rng, [str(e.year) for e in EVENTS], str(event.year)),
        solution=f"That was in {event.year}.",
    )


@template(SOCIAL, topic="world history", category="Inventions", skill="Know what happened when", grades=(7, 12))
def deed_in_year(rng: Random) -> Draft:
    event = rng.choice(EVENTS)
    return Draft(
        question=f"What did somebody do in {event.year}?",
        right=event.deed,
        wrong=[other.deed for other in rng.sample(EVENTS, 3) if other is not event],
        solution=f"In {event.year} {event.person} {event.deed}.",
    )


@template(SOCIAL, topic="world history", category="Inventors", skill="Know an inventor", grades=(5, 12))
def inventor(rng: Random) -> Draft:
    event = rng.choice(EVENTS)
    return Draft(
        question=f"Who {event.deed}?",
        right=event.person,
        wrong=others(rng, [e.person for e in EVENTS], event.person),
        solution=f"It was {event.person}.",
    )


@template(SOCIAL, topic="world history", category="Inventions", skill="Order events", grades=(6, 12))
def earliest(rng: Random) -> Draft:
    several = rng.sample(EVENTS, 3)
    first = min(several, key=lambda event: event.year)
    told = rng.choice(several)
    return Draft(
        question="What did somebody do first?",
        hint=rng.choice(("", f"In {told.year} somebody {told.deed}.")),
        right=first.deed,
        wrong=[event.deed for event in several if event is not first],
        solution=f"That was in {first.year}.",
    )


@template(SOCIAL, topic="world history", category="Time", skill="Compare years in a text", grades=(2, 6))
def later_of_two(rng: Random) -> Draft:
    one, two = rng.sample(EVENTS, 2)
    last, first = max(one, two, key=lambda e: e.year), min(one, two, key=lambda e: e.year)
    return Draft(
        question="Which of the two came later?",
        hint=f"{one.year}: {one.person}. {two.year}: {two.person}.",
        right=last.person,
        wrong=(first.person, "It was in the same year."),
        solution=f"{last.year} is later than {first.year}.",
    )


@template(SOCIAL, topic="world history", category="Time", skill="Compare years", grades=(1, 4))
def latest_year(rng: Random) -> Draft:
    several = [str(year) for year in rng.sample(range(1750, 2021), 5)]
    last = rng.random() < 0.5
    right = (max if last else min)(several)
    return Draft(
        question=f"Which year is the {'latest' if last else 'earliest'}?",
        right=right,
        wrong=[year for year in several if year != right],
        solution=f"It is {right}.",
    )


@template(SOCIAL, topic="geography", category="Countries", skill="Know a place of birth", grades=(4, 10))
def born_in(rng: Random) -> Draft:
    person, country = rng.choice(list(BORN.items()))
    return Draft(
        question=f"In which of today's countries was {person} born?",
        right=country,
        wrong=others(rng, list(BORN.values()), country),
        solution=f"{person} was born in {country}.",
    )


@template(SOCIAL, topic="geography", category="Countries", skill="Know who came from where", grades=(4, 10))
def countryman(rng: Random) -> Draft:
    person, country = rng.choice(list(BORN.items()))
    return Draft(
        question=f"Who came from {country}?",
        right=person,
        wrong=others(rng, [other for other, place in BORN.items() if place != country], person),
        solution=f"{person} was born in {country}.",
    )


TEMPLATES = (
    named_after, year_of, inventor, earliest, later_of_two, born_in, unit_of_person, deed_in_year,
    latest_year, countryman,
)  # fmt: skip
