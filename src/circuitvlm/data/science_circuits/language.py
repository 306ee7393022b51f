"""What is asked about the language of circuits, without a picture?"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from circuitvlm.data.science_circuits.facts import ABBREVIATIONS, ADJECTIVES, NOUNS, TERMS, VERBS, WORDS, misspelt
from circuitvlm.data.science_circuits.problem import LANGUAGE, Draft, others, template

_DEEDS = ("drives", "loads", "feeds", "protects", "follows", "heats", "replaces", "damps")
_THINGS = ("lamp", "motor", "fuse", "battery", "switch", "amplifier", "antenna", "diode", "filter", "relay")
_KINDS = {"noun": NOUNS, "verb": VERBS, "adjective": ADJECTIVES}


@template(LANGUAGE, topic="writing", category="Spelling", skill="Find the correct spelling", grades=(2, 8))
def spelled_correctly(rng: Random) -> Draft:
    right, *rest = rng.sample(WORDS, 5)
    return Draft(
        question="Which word is spelled correctly?",
        right=right,
        wrong=[misspelt(rng, word) for word in rest],
        solution=f"The correct one is {right}.",
    )


@template(LANGUAGE, topic="writing", category="Spelling", skill="Find a mistake", grades=(2, 8))
def mistake(rng: Random) -> Draft:
    word, *rest = rng.sample(WORDS, 5)
    right = misspelt(rng, word)
    return Draft(
        question="In which word is there a mistake?", right=right, wrong=rest, solution=f"{right} should be {word}."
    )


@template(LANGUAGE, topic="vocabulary", category="Abbreviations", skill="Spell out an abbreviation", grades=(5, 12))
def abbreviation(rng: Random) -> Draft:
    short, long = rng.choice(list(ABBREVIATIONS.items()))
    return Draft(
        question=f"What does {short} stand for?",
        right=long,
        wrong=others(rng, list(ABBREVIATIONS.values()), long, count=3),
        solution=f"{short} is {long}.",
    )


@template(LANGUAGE, topic="vocabulary", category="Abbreviations", skill="Abbreviate", grades=(5, 12))
def shortened(rng: Random) -> Draft:
    short, long = rng.choice(list(ABBREVIATIONS.items()))
    return Draft(
        question=f"How is {long} abbreviated?",
        right=short,
        wrong=others(rng, list(ABBREVIATIONS), short),
        solution=f"{long} is {short}.",
    )


def _alphabetical(rng: Random, *, first: bool) -> Draft:
    several = rng.sample(WORDS, 5)
    right = (min if first else max)(several)
    return Draft(
        question=f"Which word comes {'first' if first else 'last'} in the dictionary?",
        right=right,
        wrong=[word for word in several if word != right],
    )


@template(LANGUAGE, topic="reference skills", category="Dictionary", skill="Order by the alphabet", grades=(2, 5))
def first_in_dictionary(rng: Random) -> Draft:
    return _alphabetical(rng, first=True)


@template(LANGUAGE, topic="reference skills", category="Dictionary", skill="Find the last word", grades=(2, 5))
def last_in_dictionary(rng: Random) -> Draft:
    return _alphabetical(rng, first=False)


def _of_kind(rng: Random, kind: str) -> tuple[str, Sequence[str]]:
    """A word of a kind, and four that are of another."""
    strangers = [word for other, words in _KINDS.items() if other != kind for word in words]
    return rng.choice(_KINDS[kind]), rng.sample(strangers, 4)


@template(LANGUAGE, topic="grammar", category="Parts of speech", skill="Tell verbs from other words", grades=(3, 7))
def word_class(rng: Random) -> Draft:
    kind = rng.choice(("noun", "verb"))
    right, wrong = _of_kind(rng, kind)
    return Draft(question=f"Which word is a {kind}?", right=right, wrong=wrong, solution=f"{right} is a {kind}.")


@template(LANGUAGE, topic="grammar", category="Parts of speech", skill="Name a part of speech", grades=(3, 7))
def kind_of_word(rng: Random) -> Draft:
    kind = rng.choice(list(_KINDS))
    word = rng.choice(_KINDS[kind])
    return Draft(
        question=f"To which part of speech does {word} belong?",
        right=kind,
        wrong=[other for other in _KINDS if other != kind],
    )


def _sentence(rng: Random) -> tuple[str, str, str]:
    one, two = rng.sample(_THINGS, 2)
    return f"the {one}", rng.choice(_DEEDS), f"the {two}"


@template(LANGUAGE, topic="grammar", category="Sentences", skill="Find subject and object", grades=(4, 9))
def sentence_part(rng: Random) -> Draft:
    subject, deed, thing = _sentence(rng)
    other = _sentence(rng)
    wanted, right = rng.choice((("subject", subject), ("object", thing)))
    return Draft(
        question=f"What is the {wanted} of the sentence?",
        hint=f"{subject.capitalize()} {deed} {thing}.",
        right=right,
        wrong=[text for text in (subject, thing, other[0], other[2]) if text != right],
    )


@template(LANGUAGE, topic="reading", category="Comprehension", skill="Find what a text says", grades=(1, 6))
def read_sentence(rng: Random) -> Draft:
    subject, deed, thing = _sentence(rng)
    other = _sentence(rng)
    asked, right = rng.choice(((f"Who {deed} {thing}", subject), (f"Which one is it that {subject} {deed}", thing)))
    return Draft(
        question=f"{asked}?",
        hint=f"{subject.capitalize()} {deed} {thing}.",
        right=right,
        wrong=[text for text in (subject, thing, other[0], other[2]) if text != right],
        solution=f"{subject.capitalize()} {deed} {thing}.",
    )


@template(LANGUAGE, topic="writing", category="Word order", skill="Put words into order", grades=(1, 5))
def word_order(rng: Random) -> Draft:
    subject, deed, thing = _sentence(rng)
    words = [*subject.split(), deed, *thing.split()]
    turned = [" ".join([*words[k:], *words[:k]]) for k in rng.sample(range(1, len(words)), 2)]
    return Draft(question="Which words are in the right order?", right=" ".join(words), wrong=turned)


@template(LANGUAGE, topic="vocabulary", category="Terms", skill="Name a thing by what it does", grades=(3, 9))
def term_for(rng: Random) -> Draft:
    term, meaning = rng.choice(list(TERMS.items()))
    return Draft(
        question=f"What do we call a thing that {meaning}?",
        right=term,
        wrong=others(rng, list(TERMS), term),
        solution=f"It is called {term}.",
    )


@template(LANGUAGE, topic="vocabulary", category="Terms", skill="Explain a term", grades=(3, 9))
def meaning_of(rng: Random) -> Draft:
    term, meaning = rng.choice(list(TERMS.items()))
    return Draft(
        question=f"What is meant by {term}?",
        right=f"It {meaning}.",
        wrong=[f"It {text}." for text in others(rng, list(TERMS.values()), meaning, count=2)],
    )


TEMPLATES = (
    spelled_correctly, abbreviation, first_in_dictionary, word_class, sentence_part, word_order, term_for,
    mistake, shortened, last_in_dictionary, kind_of_word, read_sentence, meaning_of,
)  # fmt: skip
