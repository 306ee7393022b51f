"""Test a study of runs on disk: its arms, its verdicts, the runs that it leaves out, and its page."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from typer.testing import CliRunner

from circuitvlm.report.figure import _labels, read_curves
from circuitvlm.report.grade import Grades, Item
from circuitvlm.report.page import study_page
from circuitvlm.report.published import PublishedRow
from circuitvlm.report.scienceqa import TEST_SIZES
from circuitvlm.report.study import UNCHANGED_NAME, StudyError, gather
from circuitvlm.runtime.folders import run_folder as folders
from circuitvlm.serving.cli.app import app

ITEMS = 300
ENDED = {"ended_by": "max_minutes=1", "steps": 3, "planned_steps": 9}


def write_run(
    root: Path,
    *,
    seed: int,
    right: float,
    overrides: tuple[str, ...] = (),
    is_finished: bool = True,
    name: str = "study",
    kind: str = "",
) -> Path:
    """A finished run's folder in which about `right` of the items are right; the items are of unlike difficulty."""
    base = {"name": name, "runs": str(root), "seed": 0, "rate": "1", "kind": kind or name}
    cfg = {**base, "seed": seed, **dict(word.split("=") for word in overrides if word.startswith("rate"))}
    folder = folders.run_folder(cfg, base)
    folders.prepare(folder, cfg, base=base, overwrite=False)
    folders.write_overrides(folder, ["experiment=study", f"seed={seed}", *overrides])
    if not is_finished:
        (folder / folders.FAILED_FILE).write_text("Traceback ..\nRuntimeError: out of | memory <b>\n")
        return folder
    hard = np.random.default_rng(0).random(ITEMS)
    luck = np.random.default_rng([seed, 1]).normal(0, 0.02, ITEMS)
    items = tuple(
        Item(
            id=f"q{k}",
            task="t",
            tags={},
            reply="",
            wanted="",
            scores={"exact": float(hard[k] + luck[k] < right)},
            cut=not k,
        )
        for k in range(ITEMS)
    )
    (folder / "replies" / "test").mkdir(parents=True)
    Grades(items).save(folder / "replies" / "test" / "scores.json")
    summary = {"dropout": {"llm": [[1, 0.1], [2, 0.05 if overrides else 0.2]]}, **(ENDED if seed == 1 else {})}
    (folder / "trained.json").write_text(json.dumps(summary))
    folders.finish(folder, {})
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("runs")
    for seed in (0, 1, 2):
        write_run(root, seed=seed, right=0.6)
        write_run(root, seed=seed, right=0.5, overrides=("rate=2",))
        write_run(root, seed=seed, right=0.603, overrides=("rate=3",))
    write_run(root, seed=0, right=0.75, overrides=("rate=4",))
    write_run(root, seed=1, right=0.7, overrides=("rate=4",), is_finished=False)
    return root


def test_runs_that_differ_by_their_seed_are_one_arm_and_the_unchanged_one_is_the_base(runs: Path) -> None:
    study = gather([runs])
    assert [arm.name for arm in study.arms] == [UNCHANGED_NAME, "rate=2", "rate=3", "rate=4"]
    assert [arm.seeds for arm in study.arms] == [(0, 1, 2), (0, 1, 2), (0, 1, 2), (0,)]
    assert study.base.name == UNCHANGED_NAME
    assert list(study.unfinished_runs.values()) == ["failed: RuntimeError: out of | memory <b>"]


def test_each_arm_gets_the_word_that_its_counts_allow(runs: Path) -> None:
    verdicts = {verdict.name: verdict for verdict in gather([runs]).verdicts("test", "t/exact")}
    assert {arm: verdict.word for arm, verdict in verdicts.items()} == {
        "rate=2": "worse",
        "rate=3": "not distinguishable",
        "rate=4": "better",
    }
    assert "noise of training" in verdicts["rate=4"].sentence
    assert "noise of training" not in verdicts["rate=2"].sentence
    assert verdicts["rate=2"].gain.value == pytest.approx(-0.1, abs=0.04)


def test_another_base_turns_the_verdict_round(runs: Path) -> None:
    verdicts = {v.name: v.word for v in gather([runs], base="rate=2").verdicts("test", "t/exact")}
    assert verdicts[UNCHANGED_NAME] == "better"


def test_the_base_is_the_arm_with_the_fewest_changes_whatever_its_name(tmp_path: Path) -> None:
    for rate in (1, 16, 4):  # the experiment's own rate is 1, said or not
        write_run(tmp_path, seed=0, right=0.5, overrides=(f"rate={rate}", "runs=elsewhere"))
    study = gather([tmp_path])
    assert study.base.name == "rate=1"
    assert study.arms[0].name == "rate=1"


def test_runs_of_two_experiments_are_two_arms(tmp_path: Path) -> None:
    write_run(tmp_path, seed=0, right=0.5)
    write_run(tmp_path, seed=1, right=0.9, name="other")
    with pytest.raises(StudyError, match="experiment=other, experiment=study"):
        gather([tmp_path])
    for base in ("experiment=study", "study"):
        assert [arm.seeds for arm in gather([tmp_path], base=base).arms] == [(0,), (1,)]


@pytest.fixture(scope="module")
def proof(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three folders: a study of two arms, its base again under another name and with other seeds, and a bad arm."""
    root = tmp_path_factory.mktemp("proof")
    for seed in (0, 1, 2):
        for rate in (1, 2):
            write_run(root, seed=seed, right=0.6, overrides=(f"rate={rate}", "cut=9"))
        write_run(root, seed=seed + 10, right=0.6, name="again", kind="study")
        write_run(root, seed=seed, right=0.5, name="slow", overrides=("rate=9",))
    return [root / name for name in ("study", "again", "slow")]


def test_arms_of_several_folders_are_told_apart_by_their_experiments(proof: list[Path]) -> None:
    study = gather(proof, base="study")
    assert [arm.name for arm in study.arms] == ["rate=1", "experiment=again", "experiment=slow, rate=9", "rate=2"]
    assert [arm.name for arm in gather(proof[:1]).arms] == ["rate=1", "rate=2"], "of one experiment it says nothing"


def test_two_experiments_of_several_arms_are_both_named(proof: list[Path], tmp_path: Path) -> None:
    for rate in (1, 2):
        write_run(tmp_path, seed=0, right=0.6, name="other", kind="study", overrides=(f"rate={rate}",))
    names = [arm.name for arm in gather([proof[0], tmp_path], base="study").arms]
    assert sorted(names) == [
        "experiment=other, rate=1",
        "experiment=other, rate=2",
        "experiment=study, rate=1, cut=9",
        "experiment=study, rate=2, cut=9",
    ]


def test_a_duplicate_is_not_told_apart_and_a_bad_arm_is_worse(proof: list[Path]) -> None:
    study = gather(proof, base="study")
    verdicts = {verdict.name: verdict for verdict in study.verdicts("test", "t/exact")}
    again, slow = verdicts["experiment=again"], verdicts["experiment=slow, rate=9"]
    assert again.word == "not distinguishable"
    assert again.p == pytest.approx(1, abs=0.9)
    assert "3 unpaired seeds, 300 items" in again.sentence
    assert slow.word == "worse"
    assert "(3 seeds, 300 items)" in slow.sentence


def test_the_command_takes_several_folders(proof: list[Path], tmp_path: Path) -> None:
    words = [*map(str, proof), "--base", "experiment=again", "--out", str(tmp_path / "page")]
    result = CliRunner().invoke(app, ["report", *words])
    assert result.exit_code == 0, result.output
    assert "in 4 arms; the base is **experiment=again**" in (tmp_path / "page" / "report.md").read_text()


def test_a_seed_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    first_run = write_run(tmp_path, seed=0, right=0.5)
    shutil.copytree(first_run, tmp_path / "again")
    with pytest.raises(StudyError, match="twice"):
        gather([tmp_path])


def test_an_unknown_base_is_refused_with_the_nearest_one(runs: Path) -> None:
    with pytest.raises(StudyError, match="rate=2"):
        gather([runs], base="rate=22")


def test_runs_that_answered_other_items_are_refused(tmp_path: Path) -> None:
    write_run(tmp_path, seed=0, right=0.5)
    second_run = write_run(tmp_path, seed=1, right=0.5)
    path = second_run / "replies" / "test" / "scores.json"
    path.write_text(path.read_text().replace('"q7"', '"another"'))
    with pytest.raises(ValueError, match="same items"):
        gather([tmp_path])


def test_no_finished_run_is_said(tmp_path: Path) -> None:
    write_run(tmp_path, seed=0, right=0.5, is_finished=False)
    with pytest.raises(StudyError, match="1 are not finished"):
        gather([tmp_path])


def test_the_page_has_every_arm_every_sentence_and_readable_pictures(runs: Path) -> None:
    study = gather([runs])
    page = study_page(study, title="A <study>")
    for arm in study.arms:
        assert arm.name.replace("_", "\\_") in page.markdown
    assert page.markdown.count("after Holm") == 3
    assert page.markdown.count("`: ended by max_minutes=1 at step 3 of 9\n") == 3
    assert page.markdown.count(" | t | 1 |") == len(study.trials)
    assert set(page.pictures) == {"test-t-exact.png", "dropout.png"}
    for data in page.pictures.values():
        assert Image.open(io.BytesIO(data)).width > 500
    assert "<b>" not in page.html, "what a run said is text"
    assert 'src="test' not in page.html, "the pictures are in the file"
    assert page.html.count("data:image/png;base64,") == 2


def test_scores_that_weigh_are_weighed_in_the_page_and_a_field_that_nobody_wants_is_in_none(tmp_path: Path) -> None:
    for place, words in enumerate(((), ("rate=2",))):
        folder = write_run(tmp_path, seed=0, right=0.5, overrides=words)
        scores = [(float(k % 5 == place), float(k % 5 == 0)) for k in range(ITEMS)]
        items = (
            Item(id=f"q{k}", task="t", tags={}, reply="", wanted="", scores={"f1": score, "sub": 1.0},
                 weights={"f1": 9 * weight, "sub": 0.0})
            for k, (score, weight) in enumerate(scores)
        )  # fmt: skip
        Grades(tuple(items)).save(folder / "replies" / "test" / "scores.json")
    study = gather([tmp_path])
    assert study.metrics("test") == ("t/f1",)
    lines = study_page(study, title="A study").markdown.splitlines()
    cells = [line.split("|")[3].split()[0] for line in lines if line.startswith((f"| {UNCHANGED_NAME}", "| rate"))]
    assert cells == ["100.00", "0.00"]


def test_a_published_row_is_tested_unpaired_and_told_where_it_cannot_be(runs: Path) -> None:
    rows = [
        PublishedRow(name, {"Average": share}, {**TEST_SIZES, "Average": ITEMS})
        for name, share in (("theirs", "40.00"), ("odd", "40.10"))
    ]
    text = study_page(gather([runs]), title="x", published_rows=rows).markdown
    assert "theirs: worse than experiment unchanged" in text
    assert "odd: impossible as published" in text
    assert "not distinguishable from theirs at 300 items" in text


def test_the_command_writes_the_page(runs: Path, tmp_path: Path) -> None:
    page_folder = tmp_path / "page"
    result = CliRunner().invoke(app, ["report", str(runs), "--out", str(page_folder)])
    assert result.exit_code == 0, result.output
    assert {path.name for path in page_folder.iterdir()} == {
        "report.md",
        "report.html",
        "test-t-exact.png",
        "dropout.png",
    }
    wrong = CliRunner().invoke(app, ["report", str(runs), "--metric", "t/exakt", "--out", str(page_folder)])
    assert wrong.exit_code == 2
    assert "t/exact" in wrong.output


def write_events(folder: Path, *, scale: float, steps: int = 50) -> None:
    (folder / "tensorboard").mkdir()
    writer = EventFileWriter(str(folder / "tensorboard"))
    for step in range(steps):
        values = {"lr-AdamW/llm": step / steps, "train/loss": scale * 5 * 0.9**step}
        summary = Summary(value=[Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()])
        writer.add_event(Event(step=step, summary=summary))
    writer.close()


def test_curves_are_read_and_drawn_where_a_run_has_logs(tmp_path: Path) -> None:
    first_run = write_run(tmp_path, seed=0, right=0.5)
    write_run(tmp_path, seed=0, right=0.6, overrides=("rate=2",))
    assert read_curves(first_run) == {}
    assert not (first_run / "tensorboard").exists(), "looking makes no folder"
    assert "curves.png" not in study_page(gather([tmp_path]), title="x").pictures
    write_events(first_run, scale=1.0)
    steps, losses = read_curves(first_run)["loss"]
    assert steps.tolist() == list(range(50))
    assert losses == pytest.approx(5 * 0.9 ** np.arange(50))
    pixels = np.asarray(Image.open(io.BytesIO(study_page(gather([tmp_path]), title="x").pictures["curves.png"])))
    blue = np.abs(pixels[..., :3].astype(int) - [0x00, 0x72, 0xB2]).max(axis=-1) < 8
    assert blue[:, : pixels.shape[1] // 2].sum() > 300, "the rate's line"
    assert blue[:, pixels.shape[1] // 2 :].sum() > 300, "the loss's line"


def test_arms_that_are_alike_are_drawn_once_by_what_they_share() -> None:
    groups = [["rate=1, drop=a", "rate=1, drop=b"], ["rate=2, drop=a", "rate=2, drop=b"]]
    assert _labels(groups) == ["rate=1", "rate=2"]
    assert _labels([["a=1, b=1", "a=1, b=2"], ["a=1, b=3", "a=1, b=4"]]) == [
        "a=1, b=1 and 1 more",
        "a=1, b=3 and 1 more",
    ]
    assert _labels([[UNCHANGED_NAME], ["cost=$5"]]) == [UNCHANGED_NAME, r"cost=\$5"]
