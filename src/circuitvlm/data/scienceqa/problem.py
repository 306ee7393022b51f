"""What does one ScienceQA problem say? Its facts, its tags, or why it cannot be asked."""

from __future__ import annotations

import re

from circuitvlm.core.record import Example, Picture
from circuitvlm.data._reading.files import UnusableError
from circuitvlm.data.scienceqa.files import Problem

LETTERS = "ABCDEFGH"
TEXTS = ("hint", "lecture", "solution")
_GRADE = re.compile(r"grade(\d{1,2})")


def check(problem: Problem) -> None:
    """Raises UnusableError for one without a question, with fewer than two choices, or an answer that is none."""
    if not text(problem, "question").strip():
        raise UnusableError("no question")
    choices = problem.get("choices")
    if not isinstance(choices, list) or not 2 <= len(choices) <= len(LETTERS):
        raise UnusableError(f"choices are not 2 to {len(LETTERS)}")
    if not all(isinstance(choice, str) for choice in choices):
        raise UnusableError("choice that is no text")
    answer = problem.get("answer")
    if not isinstance(answer, int) or isinstance(answer, bool) or not 0 <= answer < len(choices):
        raise UnusableError("answer out of range")


def example(pid: str, problem: Problem, *, picture: Picture | None, caption: str | None) -> Example:
    """A problem that passed `check`. `caption` is None where there are no captions at all."""
    choices, answer = list(problem["choices"]), LETTERS[problem["answer"]]
    facts: dict[str, object] = {
        "kind": "choice",
        "question": text(problem, "question"),
        "options": choices,
        "answer": answer,
        **{name: text(problem, name) for name in TEXTS},
    }
    if caption is not None:
        facts["caption"] = caption
    tags = {"kind": "choice", "pid": pid, "options": str(len(choices)), "answer": answer, **_groups(problem)}
    return Example(id=pid, images=(picture,) if picture else (), facts=facts, tags=tags)


def text(problem: Problem, name: str) -> str:
    """A field that is text; empty where it is none."""
    value = problem.get(name)
    return value if isinstance(value, str) else ""


def grade(problem: Problem) -> int | None:
    """1 to 12, or None for one that says no such grade."""
    found = _GRADE.fullmatch(text(problem, "grade"))
    number = int(found[1]) if found else 0
    return number if 1 <= number <= 12 else None


def _groups(problem: Problem) -> dict[str, str]:
    """What the official evaluation groups by: what the problem states, whether or not its image is there."""
    said = {name: text(problem, name) for name in ("subject", "topic", "category")}
    if number := grade(problem):
        said |= {"grade": str(number), "grade_band": "1-6" if number <= 6 else "7-12"}
    said["has_hint"] = "yes" if text(problem, "hint") else "no"
    said["has_image"] = "yes" if problem.get("image") else "no"
    return {name: value for name, value in said.items() if value}
