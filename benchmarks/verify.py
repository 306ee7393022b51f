"""What does a right verdict cost, ours and others'? Run as `python benchmarks/verify.py [--write docs/bench.md]`.

Our judges beside SymPy and math-verify, our transfer functions beside lcapy's, and what `questions.py` measures, in
one run. math-verify and lcapy are optional (`pip install math-verify lcapy`). A wrong verdict of ours ends in exit 1.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import _judges
import questions
from _figures import estimate, ground, seconds, table, times, within
from _judges import LATE, Answer, Worker
from _pairs import COMPONENTS, Asked, Pair, asked, pairs
from rich.console import Console

from circuitvlm.circuit.judge.verdict import Verdict, equal_expressions

CIRCUITS = 20
BUDGET_S = 130.0
"""Time that one side may spend in all; after that it is not asked any more."""

Sides = Mapping[str, tuple[Callable[[Any], str], str | None, float]]
"""By name: the function, the optional package, and the limit in seconds for one job."""

JUDGES: Sides = {
    "equal_expressions": (_judges.ours, None, 20),
    "equal_expressions, LaTeX": (_judges.ours_latex, None, 20),
    "matches_circuit": (_judges.ours_netlist, None, 20),
    "SymPy simplify(a - b)": (_judges.sympy_simplify, None, 20),
    "SymPy cancel(a - b)": (_judges.sympy_cancel, None, 20),
    "math-verify": (_judges.math_verify, "math_verify", 20),
}
OUR_JUDGES = tuple(JUDGES)[:3]
SOLVERS: Sides = {
    "transfer_function": (_judges.ours_transfer, None, 60),
    "lcapy": (_judges.lcapy_transfer, "lcapy", 60),
}


@dataclass
class Side:
    """A side of the comparison: its answers, by the number of the job."""

    name: str
    answers: dict[int, Answer] = field(default_factory=dict)

    @property
    def unanswered(self) -> int:
        return sum(a.said is None for a in self.answers.values())


def measured(
    jobs: Sequence[Pair] | Sequence[Asked],
    sides: Sides,
    *,
    budget_s: float = BUDGET_S,
) -> list[Side]:
    """Puts every job to all sides in turn, those whose package is missing left out; the first job warms them up."""
    found: list[Side] = []
    workers: list[Worker] = []
    for name, (work, package, limit_s) in sides.items():
        if package is None or _judges.is_installed(package):
            found.append(Side(name))
            workers.append(Worker(work, limit_s=limit_s))
            workers[-1].ask(jobs[0])
    for number, job in enumerate(jobs):
        for side, worker in zip(found, workers, strict=True):
            if sum(a.seconds for a in side.answers.values()) < budget_s:
                side.answers[number] = worker.ask(job)
    for worker in workers:
        worker.close()
    return found


def is_right(side: Side, said: str, wanted: Verdict) -> bool:
    """Ours must also tell the opposite sign from other differences; the others only know equal and different."""
    return said == wanted.value if side.name in OUR_JUDGES else (said == Verdict.EQUAL) == (wanted is Verdict.EQUAL)


def wrong(side: Side, jobs: Sequence[Pair]) -> list[int]:
    """The numbers of the pairs that the side judges wrongly. Ours must answer; for others no answer is no verdict."""
    return [
        number
        for number, answer in side.answers.items()
        if (side.name in OUR_JUDGES if answer.said is None else not is_right(side, answer.said, jobs[number].wanted))
    ]


def faults(sides: Sequence[Side], jobs: Sequence[Pair]) -> list[str]:
    """Our own wrong verdicts, as lines to be printed."""
    return [
        f"FAULT: {side.name} says {side.answers[n].said or side.answers[n].trouble}, the truth is "
        f"{jobs[n].wanted.value} ({jobs[n].kind}): {jobs[n].true!r} and {jobs[n].said!r}"
        for side in sides
        if side.name in OUR_JUDGES
        for n in wrong(side, jobs)
    ]


def differing(sides: Sequence[Side], jobs: Sequence[Asked]) -> list[str]:
    """The circuits for which another side has another formula than the first, as lines to be printed."""
    return [
        f"DIFFERENT: {first} and {second} from {jobs[n].source.name} to {jobs[n].output.name} in {jobs[n].text!r}"
        for side in sides[1:]
        for n, first, second in both(sides[0], side)
        if equal_expressions(first, second) is not Verdict.EQUAL
    ]


def both(one: Side, other: Side) -> list[tuple[int, str, str]]:
    """The numbers of the jobs that both sides answered, with what they said."""
    said = [(n, one.answers[n].said, answer.said) for n, answer in other.answers.items()]
    return [(n, first, second) for n, first, second in said if first is not None and second is not None]


def _times(side: Side, reference: Side, groups: Sequence[int]) -> list[str]:
    """Count, median, slowest and the ratio to the reference, job by job; what failed at once has no time."""
    numbers = [n for n, answer in side.answers.items() if answer.said is not None or answer.trouble == LATE]
    own = [side.answers[n].seconds for n in numbers]
    of = [groups[n] for n in numbers]
    ratios = [side.answers[n].seconds / reference.answers[n].seconds for n in numbers]
    late = any(side.answers[n].trouble == LATE for n in numbers)
    ratio = "1" if side is reference else within(estimate(ratios, groups=of), times)
    return [
        str(len(side.answers)),
        within(estimate(own, groups=of), seconds),
        ("over " if late else "") + seconds(max(own)),
        ratio,
    ]


def formulas(sides: Sequence[Side], jobs: Sequence[Pair]) -> str:
    """Markdown: who judges how fast, and how often wrongly."""
    groups = [job.asked.number for job in jobs]
    rows = [
        [side.name, *_times(side, sides[0], groups), str(len(wrong(side, jobs))), str(side.unanswered)]
        for side in sides
    ]
    return table(["judge", "pairs", "median", "slowest", "times ours", "wrong", "no verdict"], rows)


def transfers(sides: Sequence[Side], jobs: Sequence[Asked]) -> str:
    """Markdown: who solves how fast, and how often otherwise than we do."""
    groups = [job.number for job in jobs]
    rows = [[side.name, *_times(side, sides[0], groups), str(side.unanswered)] for side in sides]
    lines = [table(["solver", "circuits", "median", "slowest", "times ours", "no answer"], rows)]
    for side in sides[1:]:
        lines.append(
            f"{len(both(sides[0], side))} circuits are solved by both; {len(differing(sides, jobs))} of them have "
            "different formulas."
        )
    return "\n\n".join([*lines, *filter(None, map(troubles, sides))])


def troubles(side: Side) -> str:
    """Why there was no answer, counted."""
    found = Counter(answer.trouble for answer in side.answers.values() if answer.said is None)
    return f"Without an answer of {side.name}: " + ", ".join(f"{n} {why}" for why, n in found.items()) if found else ""


def missing(sides: Sides) -> str:
    """A line for each side that was left out."""
    absent = [n for n, (_, package, _) in sides.items() if package and not _judges.is_installed(package)]
    return "".join(f"\n\n{name} is not installed here and was left out." for name in absent)


HEAD = """# Speed, side by side

Written by `python benchmarks/verify.py --write docs/bench.md` (`make bench` measures and prints the same): all sides in
one run, on the same jobs in turn. In brackets are 95 % intervals of a bootstrap over circuits. "Times ours" is the
median of the ratios to the first line, job by job. Times hold for this machine and what else ran on it; ratios travel
better.
"""

FORMULAS = f"""## Is this formula right?

Generated circuits of {COMPONENTS[0]} to {COMPONENTS[1]} components, five pairs from each: the true transfer function
beside two other spellings (expanded; divided by the leading coefficient), and beside mutants (another sign, the factor
2, two symbols swapped). The truth is known by construction; for swapped symbols, polynomials are multiplied crosswise.
Each time includes reading both texts. `matches_circuit` compares with the netlist in place of the true formula. SymPy
reads our own texts only, for its reader executes code; math-verify is given LaTeX, which it reads best, without its own
time limits. One pair may take 20 s, one side {BUDGET_S:g} s in all. Ours must also tell an opposite sign from another
difference.
"""

TRANSFERS = """## Transfer functions

Of the same circuits, from the netlist's text to the formula's, at most 60 s each. The circuits have no F source, since
versions of lcapy differ in the direction of its current.
"""

QUESTIONS = f"""## Circuits with image, netlist, transfer function and {questions.COUNT} questions

{questions.WORKERS} worker processes, warmed up, nothing cached; 448 x 336 pixels with marks;
{questions.COMPONENTS[0]} to {questions.COMPONENTS[1]} components. Of each step the median with its interval, and its
share of the whole time.
"""


def main() -> None:
    """Measures, prints, and writes the page where it is asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, help="the page to write, such as docs/bench.md")
    path = parser.parse_args().write
    began = time.monotonic()
    circuits = asked(CIRCUITS)
    jobs = pairs(circuits)
    judged, solved = measured(jobs, JUDGES), measured(circuits, SOLVERS)
    parts = [
        *(HEAD, ground() + "\n"),
        *(FORMULAS, formulas(judged, jobs) + missing(JUDGES) + "\n"),
        *(TRANSFERS, transfers(solved, circuits) + missing(SOLVERS) + "\n"),
        *(QUESTIONS, questions.section(questions.speeds()) + "\n"),
    ]
    text, wrongs = "\n".join(parts), faults(judged, jobs)
    console = Console(soft_wrap=True)
    for line in (text, *wrongs, *differing(solved, circuits), f"Measured in {time.monotonic() - began:.0f} s."):
        console.print(line, markup=False, highlight=False)
    if path is not None:
        path.write_text(text, encoding="utf-8")
    sys.exit(1 if wrongs else 0)


if __name__ == "__main__":
    main()
