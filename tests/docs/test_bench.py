"""Check that the measurements of `make bench` run, and that they notice a wrong verdict."""

from __future__ import annotations

import importlib
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from circuitvlm.circuit.judge.verdict import Verdict

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Import a file of benchmarks/ as a script there would."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))

    def load(name: str) -> ModuleType:
        return importlib.import_module(name)

    return load


def slow(job: str) -> str:
    """Exceed the time limit on one job, fail on another and end the process on a third."""
    if job == "sleep":
        time.sleep(60)
    if job == "end":
        raise SystemExit
    return {"good": "good"}[job]


def test_three_circuits_are_judged_rightly_by_all_of_ours_and_shown(bench: Any) -> None:
    verify, pair_module = bench("verify"), bench("_pairs")
    circuits = pair_module.transfer_questions(3)
    jobs = pair_module.formula_pairs(circuits)
    assert len(jobs) == 15
    ours = {name: verify.JUDGES[name] for name in (*verify.OUR_JUDGES, "SymPy cancel(a - b)")}
    sides = verify.run_tools(jobs, ours)
    assert [len(verify.wrong_verdicts(side, jobs)) for side in sides] == [0, 0, 0, 0]
    assert verify.list_faults(sides, jobs) == []
    assert verify.judge_table(sides, jobs).count("| 15 |") == 4
    solved = verify.run_tools(circuits, {"transfer_function": verify.SOLVERS["transfer_function"]})
    assert "| transfer_function | 3 |" in verify.solver_section(solved, circuits)


def test_a_wrong_verdict_of_ours_is_a_fault_and_one_of_others_is_counted(bench: Any) -> None:
    verify, pair_module, judges = bench("verify"), bench("_pairs"), bench("_judges")
    jobs = pair_module.formula_pairs(pair_module.transfer_questions(1))
    assert [job.verdict for job in jobs[:4]] == [Verdict.EQUAL, Verdict.EQUAL, Verdict.OPPOSITE, Verdict.DIFFERENT]
    credulous = {number: judges.Answer(1e-3, "equal") for number in range(4)}
    ours, theirs = verify.Tool("matches_circuit", credulous), verify.Tool("SymPy cancel(a - b)", credulous)
    assert verify.wrong_verdicts(ours, jobs) == verify.wrong_verdicts(theirs, jobs) == [2, 3]
    assert len(verify.list_faults([ours, theirs], jobs)) == 2
    silent = {0: judges.Answer(1.0, None, judges.LATE)}
    assert verify.wrong_verdicts(verify.Tool("equal_expressions", silent), jobs) == [0]
    assert verify.wrong_verdicts(verify.Tool("math-verify", silent), jobs) == []


def test_a_formula_that_differs_from_ours_is_shown(bench: Any) -> None:
    verify, pair_module, judges = bench("verify"), bench("_pairs"), bench("_judges")
    circuits = pair_module.transfer_questions(2)
    ours, theirs = (
        verify.Tool(name, {n: judges.Answer(1e-3, text) for n, text in enumerate(texts)})
        for name, texts in (("ours", ("R1/R2", "R1")), ("theirs", ("2*R1/(2*R2)", "R2")))
    )
    assert [line[:23] for line in verify.list_differences([ours, theirs], circuits)] == ["DIFFERENT: R1 and R2 fr"]


def test_a_call_that_hangs_fails_or_dies_has_no_answer_and_the_next_one_is_answered(bench: Any) -> None:
    judges = bench("_judges")
    worker = judges.Worker(slow, limit_s=1.0)
    answers = [worker.call(job) for job in ("good", "bad", "sleep", "good", "end", "good")]
    worker.close()
    assert [a.result for a in answers] == ["good", None, None, "good", None, "good"]
    assert [a.error for a in answers] == ["", "KeyError: 'bad'", judges.LATE, "", "ended", ""]


def test_intervals_hold_the_median_and_draw_groups_together(bench: Any) -> None:
    figures = bench("_figures")
    values = np.random.default_rng(0).normal(5, 1, 400)
    estimate = figures.estimate(values)
    assert estimate.low < estimate.value < estimate.high
    assert estimate.high - estimate.low == pytest.approx(2 * 1.96 * 1.2533 / 20, rel=0.3)  # of a normal median
    doubled = figures.estimate(np.repeat(values, 2), groups=np.repeat(np.arange(400), 2))
    assert doubled.high - doubled.low == pytest.approx(estimate.high - estimate.low, rel=0.1)


def test_three_circuits_with_questions_have_times_and_a_reason(bench: Any) -> None:
    questions, figures = bench("questions"), bench("_figures")
    steps = tuple(questions.generate_circuit(form, index) for form in questions.FORMS for index in range(3))
    assert all(s.total > 0 for s in steps)
    slow_one = questions.Speed("symbolic", figures.Estimate(2.0, 1.5, 2.5), steps[:3])
    fast_one = questions.Speed("numeric", figures.Estimate(80.0, 70.0, 90.0), steps[3:])
    text = questions.section([slow_one, fast_one])
    assert "names: 2 a second, fewer than the 60 that were expected" in text
    assert "numbers: 80 a second; at least 60 were expected" in text
    assert sum(
        slow_one.share(name) for name in ("circuit", "questions", "transfer_function", "image")
    ) == pytest.approx(1)
