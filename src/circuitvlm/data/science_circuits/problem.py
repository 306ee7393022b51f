"""Define templates of questions, and the problems that are drawn from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

NATURAL, SOCIAL, LANGUAGE = "natural science", "social science", "language science"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A question with its choices in their order, one of which is the answer.

    `netlist` is the circuit of its picture, if it has one, and `caption` describes this picture.
    """

    question: str
    choices: Sequence[str]
    answer: str
    hint: str = ""
    netlist: str = ""
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Template:
    """A kind of question; `draft` gives the same question for the same random numbers."""

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
    """A question with its template and its school grade."""

    template: Template
    draft: Draft
    grade: int

    @property
    def key(self) -> tuple[str, ...]:
        """Everything that makes two problems different: all but the order of the choices and the grade."""
        draft = self.draft
        return (self.template.name, draft.question, draft.hint, draft.netlist, *sorted(draft.choices))

    def row(self, *, split: str) -> dict[str, object]:
        """The entry of problems.json."""
        template, draft = self.template, self.draft
        return {
            "question": draft.question,
            "choices": list(draft.choices),
            "answer": draft.choices.index(draft.answer),
            "hint": draft.hint,
            "image": "image.png" if draft.netlist else None,
            "task": "closed choice",
            "grade": f"grade{self.grade}",
            "subject": template.subject,
            "topic": template.topic,
            "category": template.category,
            "skill": template.skill,
            "lecture": template.lecture,
            "solution": draft.caption,
            "split": split,
        }


def template(
    subject: str, *, topic: str, category: str, skill: str, grades: tuple[int, int], lecture: str = ""
) -> Callable[[Callable[[Random], Draft]], Template]:
    """Turn a function that drafts a question into a template with the name of the function.

    The name is part of a problem's key, which decides its set: another name moves problems from training to test.
    """

    def decorate(draft: Callable[[Random], Draft]) -> Template:
        return Template(getattr(draft, "__name__", ""), subject, topic, category, skill, grades, lecture, draft)

    return decorate


def draw_problem(template: Template, rng: Random) -> Problem:
    """A random problem of a template."""
    draft = template.draft(rng)
    return Problem(template, draft, rng.randint(*template.grades))
