"""What is asked about a small drawing: one part, or two or three in series or in parallel?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from circuitvlm.data.science_circuits.facts import PARTS, UNITS, VOWELS, Part, misspelt
from circuitvlm.data.science_circuits.problem import LANGUAGE, NATURAL, SOCIAL, Draft, others, template

_PASSIVE, _SOURCES = PARTS[:3], PARTS[3:]
_DIGITS = (10, 12, 15, 18, 22, 27, 33, 39, 47, 56, 68, 82)
_SUFFIXES = {"R": ("", "k"), "C": ("n", "u", "p"), "L": ("m", "u"), "V": ("",), "I": ("",)}
COUNTED = {1: "one", 2: "two", 3: "three"}
PERSON = {unit.name: unit.person for unit in UNITS}
SERIES, PARALLEL = "in series", "in parallel"


@dataclass(frozen=True, slots=True)
class _Shown:
    """Parts, how they are connected ("" for a single one), and the netlist that is drawn."""

    parts: Sequence[Part]
    way: str
    deck: str

    @property
    def words(self) -> str:
        names = [part.name for part in self.parts]
        if len(names) == 1:
            return f"{_a(names[0])}"
        if len(set(names)) == 1:
            return f"{COUNTED[len(names)]} {names[0]}s {self.way}"
        return f"{' and '.join(map(_a, names))} {self.way}"

    @property
    def caption(self) -> str:
        return f"The picture shows {self.words}."


def _a(name: str) -> str:
    return f"an {name}" if name[0] in VOWELS else f"a {name}"


def _shown(rng: Random, parts: Sequence[Part], *, way: str = "") -> _Shown:
    """The parts with random values, from the first node to ground or, in series, from node to node."""
    numbers: dict[str, int] = {}
    lines = []
    last = len(parts) - 1
    loose = way != PARALLEL and rng.random() < 0.4
    for k, part in enumerate(parts):
        numbers[part.letter] = numbers.get(part.letter, rng.randint(0, 6)) + 1
        digits = rng.choice(range(1, 10) if part in _SOURCES else _DIGITS)
        ends = ("1", "0") if way == PARALLEL else (str(k + 1), str(k + 2) if k < last or loose else "0")
        value = f"{digits}{rng.choice(_SUFFIXES[part.letter])}"
        lines.append(f"{part.letter}{numbers[part.letter]} {ends[0]} {ends[1]} {value}")
    return _Shown(parts, way, "\n".join(lines))


def _single(rng: Random) -> _Shown:
    return _shown(rng, [rng.choice(PARTS)])


def _pair(rng: Random, *, alike: bool | None = None) -> _Shown:
    """Two parts, of which at most one is a source."""
    same = rng.random() < 0.3 if alike is None else alike
    parts = [rng.choice(_PASSIVE)] * 2 if same else rng.sample(_PASSIVE, 2)
    if not same and rng.random() < 0.4:
        parts[0] = rng.choice(_SOURCES)
    return _shown(rng, parts, way=rng.choice((SERIES, PARALLEL)))


@template(NATURAL, topic="physics", category="Symbols", skill="Recognize a component", grades=(3, 9))
def component_shown(rng: Random) -> Draft:
    shown = _single(rng)
    (part,) = shown.parts
    return Draft(
        question="Which component is shown?",
        right=part.name,
        wrong=[p.name for p in PARTS if p is not part],
        deck=shown.deck,
        caption=shown.caption,
    )


@template(NATURAL, topic="physics", category="Series and parallel", skill="Tell series from parallel", grades=(4, 10))
def series_or_parallel(rng: Random) -> Draft:
    shown = _pair(rng)
    return Draft(
        question="How are the two parts connected?",
        right=shown.way,
        wrong=(SERIES, PARALLEL),
        deck=shown.deck,
        caption=shown.caption,
    )


@template(
    NATURAL, topic="physics", category="Series and parallel", skill="Find a total resistance", grades=(7, 12),
    lecture="In series resistances add up; in parallel two equal ones are half of one.",
)  # fmt: skip
def total_of_pair(rng: Random) -> Draft:
    shown = _shown(rng, [PARTS[0]] * 2, way=rng.choice((SERIES, PARALLEL)))
    ohms = 2 * rng.randint(2, 30)
    totals = {SERIES: 2 * ohms, PARALLEL: ohms // 2}
    return Draft(
        question="What is the total resistance of the two?",
        hint=f"Let each of the resistors be {ohms} Ω.",
        right=f"{totals[shown.way]} Ω",
        wrong=[f"{n} Ω" for n in (*totals.values(), ohms, 3 * ohms) if n != totals[shown.way]],
        deck=shown.deck,
        caption=shown.caption,
    )


@template(NATURAL, topic="physics", category="Symbols", skill="Say what is not there", grades=(4, 9))
def absent(rng: Random) -> Draft:
    shown = _pair(rng, alike=False)
    names = [part.name for part in shown.parts]
    right = rng.choice([p.name for p in PARTS if p.name not in names])
    return Draft(
        question="Which of these is not in the picture?",
        right=right,
        wrong=names,
        deck=shown.deck,
        caption=shown.caption,
    )


@template(NATURAL, topic="physics", category="Symbols", skill="Count parts", grades=(1, 4))
def how_many(rng: Random) -> Draft:
    part = rng.choice(_PASSIVE)
    count = rng.randint(1, 3)
    way = "" if count == 1 else SERIES if count == 3 else rng.choice((SERIES, PARALLEL))
    shown = _shown(rng, [part] * count, way=way)
    return Draft(
        question="How many parts are drawn?",
        right=COUNTED[count],
        wrong=list(COUNTED.values()),
        hint=rng.choice(("", "The sign for ground does not count.")),
        deck=shown.deck,
        caption=shown.caption,
    )


@template(NATURAL, topic="units and measurement", category="Units", skill="Choose a component's unit", grades=(6, 12))
def unit_of_shown(rng: Random) -> Draft:
    shown = _single(rng)
    (part,) = shown.parts
    return Draft(
        question="In which unit is the value of this part given?",
        right=part.unit,
        wrong=[p.unit for p in PARTS if p is not part],
        deck=shown.deck,
        caption=shown.caption,
    )


@template(SOCIAL, topic="world history", category="Units", skill="Know whom a unit is named after", grades=(6, 12))
def honoured_by_shown(rng: Random) -> Draft:
    shown = _single(rng)
    (part,) = shown.parts
    right = PERSON[part.unit]
    return Draft(
        question="Whose name is in the unit of this part?",
        right=right,
        wrong=others(rng, [PERSON[p.unit] for p in PARTS], right),
        hint=rng.choice(("", "Units bear the names of scientists.")),
        deck=shown.deck,
        caption=shown.caption,
    )


@template(LANGUAGE, topic="vocabulary", category="Symbols", skill="Know a component's letter", grades=(3, 8))
def letter_of_shown(rng: Random) -> Draft:
    shown = _single(rng)
    (part,) = shown.parts
    return Draft(
        question="Which letter stands for this part in a netlist?",
        hint=rng.choice(("", "Each line of a netlist begins with a letter.")),
        right=part.letter,
        wrong=[p.letter for p in PARTS if p is not part],
        deck=shown.deck,
        caption=shown.caption,
    )


@template(LANGUAGE, topic="writing", category="Spelling", skill="Spell the name of a component", grades=(2, 7))
def name_spelled(rng: Random) -> Draft:
    part = rng.choice(_PASSIVE)
    shown = _shown(rng, [part])
    wrong = [misspelt(rng, part.name), *(p.name for p in _PASSIVE if p is not part)]
    return Draft(
        question="What is the name of this part, spelled correctly?",
        right=part.name,
        wrong=wrong,
        deck=shown.deck,
        caption=shown.caption,
    )


@template(NATURAL, topic="physics", category="Symbols", skill="Describe a picture", grades=(1, 12))
def description(rng: Random) -> Draft:
    shown = _single(rng) if rng.random() < 0.4 else _pair(rng)
    wrong = [words for _ in range(12) if (words := (_single, _pair)[rng.random() < 0.6](rng).words) != shown.words]
    wrong = [words for words in wrong if _sorted(words) != _sorted(shown.words)]
    return Draft(
        question="What do you see?",
        right=shown.words,
        wrong=[*wrong, "nothing"][:3],
        deck=shown.deck,
        caption=shown.caption,
    )


@template(NATURAL, topic="physics", category="Symbols", skill="Name the parts of a picture", grades=(1, 12))
def beside(rng: Random) -> Draft:
    shown = _pair(rng, alike=False)
    known, right = rng.sample([part.name for part in shown.parts], 2)
    return Draft(
        question=f"Which part is drawn together with the {known}?",
        right=right,
        wrong=[p.name for p in PARTS if p.name not in (known, right)],
        deck=shown.deck,
        caption=shown.caption,
    )


@template(NATURAL, topic="physics", category="Symbols", skill="Tell kinds of parts", grades=(1, 12))
def is_there(rng: Random) -> Draft:
    shown = _single(rng) if rng.random() < 0.5 else _pair(rng)
    name = rng.choice([part.name for part in (shown.parts if rng.random() < 0.5 else PARTS)])
    answer = ("no", "yes")
    there = any(part.name == name for part in shown.parts)
    return Draft(
        question=f"Do you see {_a(name)}?",
        right=answer[there],
        wrong=(answer[not there],),
        deck=shown.deck,
        caption=shown.caption,
    )


def _sorted(words: str) -> list[str]:
    """Two descriptions of the same words mean the same picture."""
    return sorted(words.split())


TEMPLATES = (
    component_shown, series_or_parallel, total_of_pair, absent, how_many, unit_of_shown, honoured_by_shown,
    letter_of_shown, name_spelled, description, beside, is_there,
)  # fmt: skip
