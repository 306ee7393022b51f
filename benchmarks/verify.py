"""Compare the speed and the errors of our judges and solvers with those of other packages.

Run as `python benchmarks/verify.py [--write docs/bench.md]`. One run compares our judges with SymPy and math-verify,
our transfer functions with lcapy's, and measures what `questions.py` measures. math-verify and lcapy are optional
(`pip install math-verify lcapy`). The exit status is 1 if one of our judges gives a wrong verdict.
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
from _figures import environment_line, estimate, format_estimate, seconds, table, times
from _judges import LATE, Answer, Worker
from _pairs import COMPONENTS, Pair, TransferQuestion, formula_pairs, transfer_questions
from rich.console import Console

from circuitvlm.circuit.judge.verdict import Verdict, equal_expressions

CIRCUITS = 20
BUDGET_S = 130.0
"""Time in seconds that one tool may spend in all; after that it gets no more jobs."""

ToolTable = Mapping[str, tuple[Callable[[Any], str], str | None, float]]
"""The function of each tool by its name, its optional package, and the limit in seconds for one job."""

JUDGES: ToolTable = {
    "equal_expressions": (_judges.judge_expressions, None, 20),
    "equal_expressions, LaTeX": (_judges.judge_latex, None, 20),
    "matches_circuit": (_judges.judge_netlist, None, 20),
    "SymPy simplify(a - b)": (_judges.sympy_simplify, None, 20),
    "SymPy cancel(a - b)": (_judges.sympy_cancel, None, 20),
    "math-verify": (_judges.math_verify, "math_verify", 20),
}
OUR_JUDGES = tuple(JUDGES)[:3]
SOLVERS: ToolTable = {
    "transfer_function": (_judges.solve_transfer_function, None, 60),
    "lcapy": (_judges.solve_with_lcapy, "lcapy", 60),
}


@dataclass
class Tool:
    """A judge or a solver with its answers, by the number of the job."""

    name: str
    answers: dict[int, Answer] = field(default_factory=dict)

    @property
    def failures(self) -> int:
        return sum(answer.result is None for answer in self.answers.values())


def run_tools(
    jobs: Sequence[Pair] | Sequence[TransferQuestion], tool_table: ToolTable, *, budget_s: float = BUDGET_S
) -> list[Tool]:
    """Give every job to each installed tool in turn, after a first job as warm-up."""
    tools: list[Tool] = []
    workers: list[Worker] = []
    for name, (function, package, limit_s) in tool_table.items():
        if package is None or _judges.is_installed(package):
            tools.append(Tool(name))
            workers.append(Worker(function, limit_s=limit_s))
            workers[-1].call(jobs[0])
    for number, job in enumerate(jobs):
        for tool, worker in zip(tools, workers, strict=True):
            if sum(answer.seconds for answer in tool.answers.values()) < budget_s:
                tool.answers[number] = worker.call(job)
    for worker in workers:
        worker.close()
    return tools


def is_right(tool: Tool, result: str, truth: Verdict) -> bool:
    """Whether a verdict is right. Only our judges distinguish the opposite sign from other differences."""
    if tool.name in OUR_JUDGES:
        return result == truth.value
    return (result == Verdict.EQUAL) == (truth is Verdict.EQUAL)


def wrong_verdicts(tool: Tool, jobs: Sequence[Pair]) -> list[int]:
    """Return the numbers of the pairs with a wrong verdict. Only for our judges, no answer is a wrong verdict."""
    is_ours = tool.name in OUR_JUDGES
    return [
        number
        for number, answer in tool.answers.items()
        if (is_ours if answer.result is None else not is_right(tool, answer.result, jobs[number].verdict))
    ]


def list_faults(tools: Sequence[Tool], jobs: Sequence[Pair]) -> list[str]:
    """Return a line for each wrong verdict of our judges."""
    return [
        f"FAULT: {tool.name}: expected {jobs[n].verdict.value} ({jobs[n].kind}), got "
        f"{tool.answers[n].result or tool.answers[n].error}: {jobs[n].reference!r} and {jobs[n].answer!r}"
        for tool in tools
        if tool.name in OUR_JUDGES
        for n in wrong_verdicts(tool, jobs)
    ]


def list_differences(tools: Sequence[Tool], jobs: Sequence[TransferQuestion]) -> list[str]:
    """Return a line for each circuit for which another tool has another formula than the first tool."""
    return [
        f"DIFFERENT: {first} and {second} from {jobs[n].source.name} to {jobs[n].output.name} in {jobs[n].text!r}"
        for tool in tools[1:]
        for n, first, second in common_results(tools[0], tool)
        if equal_expressions(first, second) is not Verdict.EQUAL
    ]


def common_results(reference: Tool, tool: Tool) -> list[tuple[int, str, str]]:
    """Return the numbers of the jobs that both tools answered, with both results."""
    results = [(n, reference.answers[n].result, answer.result) for n, answer in tool.answers.items()]
    return [(n, first, second) for n, first, second in results if first is not None and second is not None]


def _time_columns(tool: Tool, reference: Tool, groups: Sequence[int]) -> list[str]:
    """Return count, median, slowest, and the ratio to the reference by job; an immediate failure has no time."""
    numbers = [n for n, answer in tool.answers.items() if answer.result is not None or answer.error == LATE]
    durations = [tool.answers[n].seconds for n in numbers]
    job_groups = [groups[n] for n in numbers]
    ratios = [tool.answers[n].seconds / reference.answers[n].seconds for n in numbers]
    has_late_answer = any(tool.answers[n].error == LATE for n in numbers)
    return [
        str(len(tool.answers)),
        format_estimate(estimate(durations, groups=job_groups), seconds),
        ("over " if has_late_answer else "") + seconds(max(durations)),
        "1" if tool is reference else format_estimate(estimate(ratios, groups=job_groups), times),
    ]


def judge_table(tools: Sequence[Tool], jobs: Sequence[Pair]) -> str:
    """Return a Markdown table of the judges: their times and wrong verdicts."""
    groups = [job.question.number for job in jobs]
    rows = [
        [tool.name, *_time_columns(tool, tools[0], groups), str(len(wrong_verdicts(tool, jobs))), str(tool.failures)]
        for tool in tools
    ]
    return table(["judge", "pairs", "median", "slowest", "times ours", "wrong", "no verdict"], rows)


def solver_section(tools: Sequence[Tool], jobs: Sequence[TransferQuestion]) -> str:
    """Return a Markdown table of the solvers, and how many of their formulas differ from ours."""
    groups = [job.number for job in jobs]
    rows = [[tool.name, *_time_columns(tool, tools[0], groups), str(tool.failures)] for tool in tools]
    paragraphs = [table(["solver", "circuits", "median", "slowest", "times ours", "no answer"], rows)]
    for tool in tools[1:]:
        paragraphs.append(
            f"{len(common_results(tools[0], tool))} circuits are solved by both; {len(list_differences(tools, jobs))}"
            " of them have different formulas."
        )
    return "\n\n".join([*paragraphs, *filter(None, map(failure_summary, tools))])


def failure_summary(tool: Tool) -> str:
    """Return how often the tool had no answer, by reason; empty if it always had one."""
    errors = Counter(answer.error for answer in tool.answers.values() if answer.result is None)
    reasons = ", ".join(f"{count} {error}" for error, count in errors.items())
    return f"Without an answer of {tool.name}: {reasons}" if errors else ""


def missing_packages(tool_table: ToolTable) -> str:
    """Return a line for each tool whose package is not installed."""
    names = [n for n, (_, package, _) in tool_table.items() if package and not _judges.is_installed(package)]
    return "".join(f"\n\n{name} is not installed here and was left out." for name in names)


HEAD = """# Speed of judges and solvers

Written by `python benchmarks/verify.py --write docs/bench.md` (`make bench` measures and prints the same). All tools
get the same jobs in turn, in one run. In brackets are 95 % intervals of a bootstrap over circuits. "Times ours" is the
median of the ratios to the first line, by job. Times hold for this machine and its load; ratios are more general.
"""

FORMULAS = f"""## Is this formula right?

Generated circuits of {COMPONENTS[0]} to {COMPONENTS[1]} components, five pairs from each. The true transfer function
is compared with two equal formulas (expanded; divided by the leading coefficient), and with three wrong ones (another
sign, the factor 2, two symbols swapped). The truth is known by construction; for swapped symbols, polynomials are
multiplied crosswise. Each time includes parsing both texts. `matches_circuit` compares with the netlist in place of the
true formula. SymPy parses our own texts only, as its parser executes code. math-verify gets LaTeX, which it parses
best, without its own time limits. One pair may take 20 s, one judge {BUDGET_S:g} s in all. Our judges must also
distinguish an opposite sign from another difference.
"""

TRANSFERS = """## Transfer functions

The same circuits, from the text of the netlist to the text of the formula, at most 60 s each. The circuits have no F
source, since versions of lcapy differ in the direction of its current.
"""

QUESTIONS = f"""## Circuits with image, netlist, transfer function and {questions.COUNT} questions

{questions.WORKERS} worker processes, warmed up, nothing cached; 448 x 336 pixels with marks;
{questions.COMPONENTS[0]} to {questions.COMPONENTS[1]} components. Each step has its median with an interval, and its
share of the total time.
"""


def main() -> None:
    """Measure, print the page, and write it if a path is given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, help="the page to write, such as docs/bench.md")
    path = parser.parse_args().write
    start = time.monotonic()
    circuits = transfer_questions(CIRCUITS)
    jobs = formula_pairs(circuits)
    judges, solvers = run_tools(jobs, JUDGES), run_tools(circuits, SOLVERS)
    parts = [
        *(HEAD, environment_line() + "\n"),
        *(FORMULAS, judge_table(judges, jobs) + missing_packages(JUDGES) + "\n"),
        *(TRANSFERS, solver_section(solvers, circuits) + missing_packages(SOLVERS) + "\n"),
        *(QUESTIONS, questions.section(questions.measure()) + "\n"),
    ]
    text, faults = "\n".join(parts), list_faults(judges, jobs)
    console = Console(soft_wrap=True)
    for line in (text, *faults, *list_differences(solvers, circuits), f"Measured in {time.monotonic() - start:.0f} s."):
        console.print(line, markup=False, highlight=False)
    if path is not None:
        path.write_text(text, encoding="utf-8")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
