"""What is a generated school question before it has a place in a set? A draft with one right answer and some wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

NATURAL, SOCIAL, LANGUAGE = "natural science", "social science", "language science"
FEWEST, MOST = 2, 5
"""Choices of a question."""

MARKS = "ABCDE"
"""The letters that they are given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A question with its right answer and answers that are surely wrong. `deck` is the netlist of its picture, if it
    has one, and `caption` what that shows. `order` states all choices in their order; else the number of wrong ones
    and all places are drawn.
    """

    question: str
    right: str
    wrong: Sequence[str]
    hint: str = ""
    solution: str = ""
    deck: str = ""
    caption: str = ""
    order: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Template:
    """A way to ask: `draft` makes one question of it, the same for the same random numbers."""

    name: str
    subject: str
    topic: str
    category: str
    skill: str
    grades: tuple[int, int]
    lecture: str
    draft: Callable[[Random], Draft]


@dataclass(frozen=True, slots=True)
class Problem:
    """A draft with its choices in their order, and its grade."""

    template: Template
    draft: Draft
    choices: tuple[str, ...]
    answer: int
    grade: int

    @property
    def key(self) -> tuple[str, ...]:
        """What makes it another problem than the next one: all but the order of its choices and its grade."""
        draft = self.draft
        return (self.template.name, draft.question, draft.hint, draft.deck, *sorted(self.choices))

    def row(self, *, split: str) -> dict[str, object]:
        """As an entry of problems.json."""
        template, draft = self.template, self.draft
        return {
            "question": draft.question,
            "choices": list(self.choices),
            "answer": self.answer,
            "hint": draft.hint,
            "image": "image.png" if draft.deck else None,
            "task": "closed choice",
            "grade": f"grade{self.grade}",
            "subject": template.subject,
            "topic": template.topic,
            "category": template.category,
            "skill": template.skill,
            "lecture": template.lecture,
            "solution": " ".join(filter(None, (draft.caption, draft.solution))),
            "split": split,
        }


def template(
    subject: str, *, topic: str, category: str, skill: str, grades: tuple[int, int], lecture: str = ""
) -> Callable[[Callable[[Random], Draft]], Template]:
    """Makes a function that drafts questions a template of its name."""

    def named(draft: Callable[[Random], Draft]) -> Template:
        name = getattr(draft, "__name__", "")
        return Template(name, subject, topic, category, skill, grades, lecture, draft)

    return named


def problem(template: Template, rng: Random) -> Problem:
    """One question of a template."""
    draft = template.draft(rng)
    wrong = [text for text in dict.fromkeys(draft.wrong) if text != draft.right]
    assert wrong, f"{template.name}: no wrong answer to {draft.question!r}"
    choices = list(draft.order)
    if not choices:
        choices = [draft.right, *rng.sample(wrong, rng.randint(FEWEST, min(MOST, 1 + len(wrong))) - 1)]
        rng.shuffle(choices)
    return Problem(template, draft, tuple(choices), choices.index(draft.right), rng.randint(*template.grades))


def others(rng: Random, pool: Sequence[str], right: str, *, count: int = MOST - 1) -> list[str]:
    """At most `count` texts of a pool that are not the right one."""
    left = sorted(set(pool) - {right})
    return rng.sample(left, min(count, len(left)))


def near(rng: Random, right: int, *, also: Sequence[int] = (), unit: str = "") -> list[str]:
    """Wrong numbers beside a right one: what `also` names, as a usual mistake, and some close by."""
    found = [*also, *(right + d for d in rng.sample((-3, -2, -1, 1, 2, 3, 4, 10), 4))]
    return [f"{n}{unit}" for n in dict.fromkeys(found) if n > 0 and n != right]
