"""Define the templates of questions about a small drawing: one component, or up to three in series or in parallel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from circuitvlm.data.science_circuits.facts import COMPONENTS, VOWELS, Component
from circuitvlm.data.science_circuits.problem import LANGUAGE, NATURAL, SOCIAL, Draft, template

SERIES, PARALLEL = "in series", "in parallel"
NO_YES = ("no", "yes")
_PASSIVE, _SOURCES = COMPONENTS[:3], COMPONENTS[3:]
_NAMES = tuple(component.name for component in COMPONENTS)
_VALUES = (10, 12, 15, 18, 22, 27, 33, 39, 47, 56, 68, 82)
_SUFFIXES = {"R": ("", "k"), "C": ("n", "u", "p"), "L": ("m", "u"), "V": ("",), "I": ("",)}
_COUNTS = ("one", "two", "three")


@dataclass(frozen=True, slots=True)
class _Picture:
    """The components of a picture, how they are connected ("" for a single one), and the netlist that is drawn."""

    components: Sequence[Component]
    connection: str
    netlist: str

    @property
    def caption(self) -> str:
        names = [component.name for component in self.components]
        if len(names) == 1:
            return f"The picture shows {_with_article(names[0])}."
        if len(set(names)) == 1:
            return f"The picture shows {_COUNTS[len(names) - 1]} {names[0]}s {self.connection}."
        return f"The picture shows {' and '.join(map(_with_article, names))} {self.connection}."

    def draft(self, question: str, choices: Sequence[str], answer: str, *, hint: str = "") -> Draft:
        """A question about the picture."""
        return Draft(
            question=question, choices=choices, answer=answer, hint=hint, netlist=self.netlist, caption=self.caption
        )


def _with_article(name: str) -> str:
    return f"an {name}" if name[0] in VOWELS else f"a {name}"


def _connect(rng: Random, components: Sequence[Component], *, connection: str = "") -> _Picture:
    """The components with random values, each from node 1 to ground or, in series, from node to node."""
    numbers: dict[str, int] = {}
    lines = []
    last = len(components) - 1
    is_open = connection != PARALLEL and rng.random() < 0.4
    for k, component in enumerate(components):
        letter = component.letter
        numbers[letter] = numbers.get(letter, rng.randint(0, 6)) + 1
        digits = rng.choice(range(1, 10) if component in _SOURCES else _VALUES)
        nodes = ("1", "0") if connection == PARALLEL else (str(k + 1), str(k + 2) if k < last or is_open else "0")
        lines.append(f"{letter}{numbers[letter]} {nodes[0]} {nodes[1]} {digits}{rng.choice(_SUFFIXES[letter])}")
    return _Picture(components, connection, "\n".join(lines))


def _single(rng: Random) -> tuple[_Picture, Component]:
    """A picture of one component, and the component."""
    component = rng.choice(COMPONENTS)
    return _connect(rng, [component]), component


def _pair(rng: Random, *, alike: bool | None = None) -> _Picture:
    """A picture of two components, of which at most one is a source; `alike` is random if it is None."""
    repeated = rng.random() < 0.3 if alike is None else alike
    components = [rng.choice(_PASSIVE)] * 2 if repeated else rng.sample(_PASSIVE, 2)
    if not repeated and rng.random() < 0.4:
        components[0] = rng.choice(_SOURCES)
    return _connect(rng, components, connection=rng.choice((SERIES, PARALLEL)))


@template(NATURAL, topic="physics", category="Symbols", skill="Recognize a component", grades=(3, 9))
def component_shown(rng: Random) -> Draft:
    picture, component = _single(rng)
    return picture.draft("Which component is shown?", _NAMES, component.name)


@template(NATURAL, topic="physics", category="Series and parallel", skill="Tell series from parallel", grades=(4, 10))
def series_or_parallel(rng: Random) -> Draft:
    picture = _pair(rng)
    return picture.draft("How are the two parts connected?", (SERIES, PARALLEL), picture.connection)


@template(NATURAL, topic="physics", category="Symbols", skill="Count parts", grades=(1, 4))
def how_many(rng: Random) -> Draft:
    component = rng.choice(_PASSIVE)
    count = rng.randint(1, 3)
    connection = "" if count == 1 else SERIES if count == 3 else rng.choice((SERIES, PARALLEL))
    picture = _connect(rng, [component] * count, connection=connection)
    return picture.draft(
        "How many parts are drawn?",
        _COUNTS,
        _COUNTS[count - 1],
        hint=rng.choice(("", "The sign for ground does not count.")),
    )


@template(NATURAL, topic="units and measurement", category="Units", skill="Choose a component's unit", grades=(6, 12))
def unit_of_shown(rng: Random) -> Draft:
    picture, component = _single(rng)
    return picture.draft("In which unit is the value of this part given?", [c.unit for c in COMPONENTS], component.unit)


@template(SOCIAL, topic="world history", category="Units", skill="Know whom a unit is named after", grades=(6, 12))
def honoured_by_shown(rng: Random) -> Draft:
    picture, component = _single(rng)
    rng.sample(range(4), 4)  # unused: without these random numbers the problems would be others
    return picture.draft(
        "Whose name is in the unit of this part?",
        [c.scientist for c in COMPONENTS],
        component.scientist,
        hint=rng.choice(("", "Units bear the names of scientists.")),
    )


@template(LANGUAGE, topic="vocabulary", category="Symbols", skill="Know a component's letter", grades=(3, 8))
def letter_of_shown(rng: Random) -> Draft:
    picture, component = _single(rng)
    return picture.draft(
        "Which letter stands for this part in a netlist?",
        [c.letter for c in COMPONENTS],
        component.letter,
        hint=rng.choice(("", "Each line of a netlist begins with a letter.")),
    )


@template(NATURAL, topic="physics", category="Symbols", skill="Name the parts of a picture", grades=(1, 12))
def beside(rng: Random) -> Draft:
    picture = _pair(rng, alike=False)
    first, second = rng.sample([component.name for component in picture.components], 2)
    return picture.draft(f"Which part is drawn together with the {first}?", _NAMES, second)


@template(NATURAL, topic="physics", category="Symbols", skill="Tell kinds of parts", grades=(1, 12))
def is_there(rng: Random) -> Draft:
    picture = _single(rng)[0] if rng.random() < 0.5 else _pair(rng)
    component = rng.choice(picture.components if rng.random() < 0.5 else COMPONENTS)
    return picture.draft(
        f"Do you see {_with_article(component.name)}?", NO_YES, NO_YES[component in picture.components]
    )
