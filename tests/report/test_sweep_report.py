"""Test the page of a sweep: all trials, the best first, their states, and the importance of each key."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from circuitvlm.report.grade import Grades, Item
from circuitvlm.report.study import UNCHANGED_NAME, StudyError
from circuitvlm.report.sweep.figure import _key_axis, _metric_axis, draw_importance, draw_parallel
from circuitvlm.report.sweep.page import sweep_page
from circuitvlm.report.sweep.results import gather_sweep
from circuitvlm.report.table import escape, parse_number
from circuitvlm.runtime.folders import run_folder as folders
from circuitvlm.runtime.folders.outcome import PRUNED_FILE, record_validation
from circuitvlm.serving.cli.app import app


def write_trial(
    root: Path, *words: str, loss: float | None = None, outcome: str = "finished", right: float = 0.0
) -> Path:
    """A run's folder; with `loss`, two validations, the second of which counts."""
    base = {"name": "study", "runs": str(root), "rate": 1e-3, "kind": "a", "depth": 2}
    cfg = {**base, **dict(word.split("=") for word in words)}
    folder = folders.run_folder(cfg, base)
    folders.prepare(folder, cfg, base=base, overwrite=False)
    folders.write_overrides(folder, ["experiment=study", *words])
    if loss is not None:
        record_validation(folder, 5, {"validate/loss": loss + 1})
        record_validation(folder, 10, {"validate/loss": loss})
    if outcome == "finished":
        items = tuple(Item(str(k), "t", {}, "", "", {"exact": float(k < 10 * right)}) for k in range(10))
        (folder / "replies" / "test").mkdir(parents=True)
        Grades(items).save(folder / "replies" / "test" / "scores.json")
        folders.finish(folder, {})
    elif outcome != "not finished":
        (folder / outcome).write_text("Traceback ..\nRuntimeError: out of | memory <b>\n")
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("runs")
    for place, rate in enumerate(("1e-4", "1e-3", "1e-2", "1e-1")):
        for kind in ("a", "b"):
            write_trial(root, f"rate={rate}", f"kind={kind}", loss=1 + place + 0.01 * (kind == "b"), right=place / 5)
    write_trial(root, "rate=1", "kind=a", loss=9.0, outcome=PRUNED_FILE)
    write_trial(root, "rate=1", "kind=b", outcome=folders.FAILED_FILE)
    write_trial(root, "kind=c", outcome="not finished")
    return root


def test_the_best_trial_is_first_and_those_that_did_not_finish_are_last(runs: Path) -> None:
    sweep = gather_sweep([runs])
    assert sweep.metric == "validate/loss"
    assert sweep.minimize
    assert sweep.keys == ("rate", "kind") or sweep.keys == ("kind", "rate")
    assert [trial.outcome.state for trial in sweep.trials] == 8 * ["finished"] + ["pruned", "failed", "not finished"]
    assert [trial.value for trial in sweep.trials[:3]] == pytest.approx([1.0, 1.01, 2.0])
    assert dict(sweep.trials[0].values) == {"rate": "1e-4", "kind": "a"}
    assert (sweep.trials[8].value, sweep.trials[8].step) == (9.0, 10)
    assert sweep.trials[9].outcome.reason == "RuntimeError: out of | memory <b>"


def test_a_key_that_only_others_name_has_its_value_from_the_config(runs: Path) -> None:
    (unsaid,) = (trial for trial in gather_sweep([runs]).trials if trial.values["kind"] == "c")
    assert parse_number(unsaid.values["rate"]) == 1e-3, "the sweep goes on by number, not as a word of its own"
    assert UNCHANGED_NAME not in unsaid.values.values()


def test_cut_replies_and_early_ends_are_on_the_page(tmp_path: Path) -> None:
    folder = write_trial(tmp_path, "rate=2", loss=1.0)
    write_trial(tmp_path, "rate=3", loss=2.0)
    (folder / "trained.json").write_text('{"ended_by": "max_minutes=1", "steps": 3, "planned_steps": 9}')
    path = folder / "replies" / "test" / "scores.json"
    Grades(tuple(replace(item, cut=True) for item in Grades.load(path).items)).save(path)
    page = sweep_page(gather_sweep([tmp_path], split="test"), title="x").markdown
    assert f"- `{folder}`: finished: ended by max_minutes=1 at step 3 of 9" in page
    assert f"| {escape(folder.name)} | t | 10 |" in page


def test_a_graded_metric_is_best_high(runs: Path) -> None:
    sweep = gather_sweep([runs], split="test", metric="t/exact")
    assert not sweep.minimize
    assert [trial.value for trial in sweep.trials[:2]] == [0.6, 0.6]
    assert sweep.trials[9].value is None


def test_what_no_run_has_is_refused_by_name(runs: Path, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"validate/los.*validate/loss"):
        gather_sweep([runs], metric="validate/los")
    with pytest.raises(StudyError, match=r"on 'test' \(t/exact\), got 't/right'"):
        gather_sweep([runs], split="test", metric="t/right")
    with pytest.raises(StudyError, match=r"expected runs in .*, got none"):
        gather_sweep([tmp_path])


def test_a_sweep_in_which_nothing_finished_still_says_why(tmp_path: Path) -> None:
    write_trial(tmp_path, "rate=1", outcome=folders.FAILED_FILE)
    write_trial(tmp_path, "rate=2", outcome=folders.FAILED_FILE)
    page = sweep_page(gather_sweep([tmp_path]), title="x")
    assert "2 trials: 2 failed." in page.markdown
    assert page.markdown.count("out of \\| memory \\<b\\>") == 2
    assert Image.open(io.BytesIO(page.pictures["parallel.png"])).width > 400


def test_the_page_names_every_trial_and_marks_what_did_not_finish(runs: Path) -> None:
    result = CliRunner().invoke(app, ["report", str(runs), "--sweep"])
    assert result.exit_code == 0, result.output
    text = (runs / "report" / "sweep.md").read_text()
    html = (runs / "report" / "sweep.html").read_text()
    assert "11 trials: 8 finished, 1 pruned, 1 failed, 1 not finished." in text
    assert "**rate=1e-4, kind=a**" in text or "**kind=a, rate=1e-4**" in text
    assert "| 9 at step 10 | **pruned** |" in text
    assert "<b>" not in html.partition("<body>")[2], "what a run said is text"
    assert html.count("data:image/png") == text.count(".png") == len(list((runs / "report").glob("*.png")))


def test_a_misused_sweep_report_is_told(runs: Path) -> None:
    two_metrics = [str(runs), "--metric", "a", "--metric", "b"]
    for words in (two_metrics, [], [str(runs / "nowhere")], [str(runs), "--base", "a"]):
        result = CliRunner().invoke(app, ["report", "--sweep", *words])
        assert result.exit_code == 2, result.output


def test_importance_finds_what_decided_and_is_silent_where_it_cannot_tell(runs: Path, tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    from circuitvlm.report.sweep.figure import _variance_shares

    shares = _variance_shares(gather_sweep([runs]))
    assert next(iter(shares)) == "rate"
    assert shares["rate"] > 0.9
    assert math.isclose(sum(shares.values()), 1, abs_tol=1e-6)
    write_trial(tmp_path, "rate=1", loss=1.0)
    write_trial(tmp_path, "rate=2", loss=2.0)
    assert draw_importance(gather_sweep([tmp_path])) is None


def test_one_value_far_off_does_not_squeeze_the_others_and_marks_can_be_read(tmp_path: Path) -> None:
    for rate, loss in (("1e-3", 0.223), ("3e-3", 0.2231), ("1e-2", 0.35)):
        write_trial(tmp_path, f"rate={rate}", loss=loss)
    write_trial(tmp_path, "rate=1e30", outcome=folders.FAILED_FILE)
    sweep = gather_sweep([tmp_path])
    for axis in (_key_axis(sweep, "rate"), _metric_axis(sweep)):
        heights = sorted(height for height, _ in axis.marks)
        assert all(upper - lower > 0.03 for lower, upper in pairwise(heights)), axis.marks
    assert [text for _, text in _key_axis(sweep, "rate").marks] == ["0.001", "0.003", "0.01", "1e+30"]
    assert len(_metric_axis(sweep).marks) == 2


def test_a_word_with_a_dollar_and_a_very_long_one_are_drawn(tmp_path: Path) -> None:
    write_trial(tmp_path, "kind=a$b$", loss=1.0)
    write_trial(tmp_path, f"kind={'long' * 40}", loss=2.0)
    assert draw_parallel(gather_sweep([tmp_path])).startswith(b"\x89PNG")
