"""Test that the audit of a ScienceQA folder finds the faults that were put into it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from circuitvlm.data.scienceqa.audit import audit, is_scienceqa
from circuitvlm.serving.cli.app import app

FIXTURE = Path(__file__).parents[1] / "fixtures" / "scienceqa"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    patterns = shutil.ignore_patterns("*.py", "__pycache__")
    return Path(shutil.copytree(FIXTURE, tmp_path / "scienceqa", ignore=patterns, copy_function=shutil.copyfile))


def test_a_sound_folder_has_no_fault() -> None:
    result = audit(str(FIXTURE))
    assert not result.is_faulty
    assert (result.unlisted_pids, result.unknown_pids, result.shared_pids, result.duplicates) == ((), (), (), ())
    assert result.sets == {
        "train": 36, "val": 12, "test": 12, "trainval": 48, "minitrain": 18, "minival": 6, "minitest": 6,
    }  # fmt: skip
    assert sum(result.subjects.values()) == sum(result.grades.values()) == 60
    assert result.subjects["natural science", "test"] == 6
    assert "6 of natural science in test" in result.lines()


def test_what_was_broken_is_found(folder: Path) -> None:
    problems = json.loads((folder / "problems.json").read_text())
    sets = json.loads((folder / "pid_splits.json").read_text())
    image_pids = [pid for pid in sets["train"] if problems[pid]["image"]]
    text_pids = [pid for pid in sets["train"] if not problems[pid]["image"]]
    (folder / "images" / "train" / image_pids[0] / "image.png").unlink()
    problems[text_pids[0]]["answer"] = 9
    problems["900"] = {**problems[text_pids[1]], "lecture": "other"}  # the same words in another split
    problems["901"] = {**problems[image_pids[1]]}  # the same words and pixels
    problems["902"] = {**problems[image_pids[2]]}  # the same words, another picture
    problems["903"] = {**problems[text_pids[2]]}  # in no split
    for new, image in (("901", image_pids[1]), ("902", image_pids[3])):
        (folder / "images" / "test" / new).mkdir()
        shutil.copyfile(folder / "images/train" / image / "image.png", folder / "images/test" / new / "image.png")
        problems[new]["split"] = "test"
    sets["test"] += ["900", "901", "902", text_pids[3], "1000"]
    (folder / "problems.json").write_text(json.dumps(problems))
    (folder / "pid_splits.json").write_text(json.dumps(sets))
    result = audit(str(folder))
    assert result.is_faulty
    assert result.images == {image_pids[0]: "no image"}
    assert result.unusable == {text_pids[0]: "answer out of range"}
    assert result.unlisted_pids == ("903",)
    assert result.unknown_pids == ("1000",)
    assert result.shared_pids == (text_pids[3],)
    assert sorted(result.duplicates) == sorted([(text_pids[1], "900"), (image_pids[1], "901")])
    lines = result.lines()
    assert "2 groups of duplicates are in several splits" in lines
    assert f"  {text_pids[0]} (answer out of range)" in lines


def test_the_command_knows_the_folder_by_its_problems(folder: Path) -> None:
    assert is_scienceqa(str(folder))
    assert not is_scienceqa(str(FIXTURE.parent / "circuitsense"))
    result = CliRunner().invoke(app, ["audit", str(folder)])
    assert result.exit_code == 0
    assert "36 in train" in result.output.splitlines()
    shutil.rmtree(folder / "images" / "val")
    result = CliRunner().invoke(app, ["audit", str(folder)])
    assert result.exit_code == 1
    assert "6 have no usable image: no image" in result.output
