"""Check a ScienceQA problem, and make its example with facts and tags."""

from __future__ import annotations

import re

from circuitvlm.core.record import Example, Picture
from circuitvlm.data._reading.files import UnusableError
from circuitvlm.data.scienceqa.layout import Problem

LETTERS = "ABCDEFGH"
TEXTS = ("hint", "lecture", "solution")
_GRADE = re.compile(r"grade(\d{1,2})")


def check_problem(problem: Problem) -> None:
    """Raise UnusableError for a problem without a question, without 2 to 8 choices, or without a valid answer."""
    if not text_field(problem, "question").strip():
        raise UnusableError("no question", problem.get("question"))
    choices = problem.get("choices")
    if not isinstance(choices, list) or not 2 <= len(choices) <= len(LETTERS):
        raise UnusableError(f"not 2 to {len(LETTERS)} choices", choices)
    if not all(isinstance(choice, str) for choice in choices):
        raise UnusableError("choice that is not a text", choices)
    answer = problem.get("answer")
    if not isinstance(answer, int) or isinstance(answer, bool) or not 0 <= answer < len(choices):
        raise UnusableError("answer out of range", answer)


def make_example(pid: str, problem: Problem, *, picture: Picture | None, caption: str | None) -> Example:
    """The example of a problem that `check_problem` accepts; `caption` is None if the folder has no captions."""
    choices, answer = list(problem["choices"]), LETTERS[problem["answer"]]
    facts: dict[str, object] = {
        "kind": "choice",
        "question": text_field(problem, "question"),
        "options": choices,
        "answer": answer,
        **{name: text_field(problem, name) for name in TEXTS},
    }
    if caption is not None:
        facts["caption"] = caption
    return Example(
        id=pid,
        images=(picture,) if picture else (),
        facts=facts,
        tags={"kind": "choice", "pid": pid, "options": str(len(choices)), "answer": answer, **_group_tags(problem)},
    )


def text_field(problem: Problem, name: str) -> str:
    """The value of a field if it is a text, else an empty text."""
    value = problem.get(name)
    return value if isinstance(value, str) else ""


def grade_of(problem: Problem) -> int | None:
    """The school grade from 1 to 12, or None without such a grade."""
    match = _GRADE.fullmatch(text_field(problem, "grade"))
    number = int(match[1]) if match else 0
    return number if 1 <= number <= 12 else None


def _group_tags(problem: Problem) -> dict[str, str]:
    """The groups of the official evaluation; `has_image` is what the problem says, even if the file is missing."""
    tags = {name: text_field(problem, name) for name in ("subject", "topic", "category")}
    if grade := grade_of(problem):
        tags |= {"grade": str(grade), "grade_band": "1-6" if grade <= 6 else "7-12"}
    tags["has_hint"] = "yes" if text_field(problem, "hint") else "no"
    tags["has_image"] = "yes" if problem.get("image") else "no"
    return {name: value for name, value in tags.items() if value}
