"""Does the audit of a ScienceQA folder find what was put into it?"""

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
    ignored = shutil.ignore_patterns("*.py", "__pycache__")
    return Path(shutil.copytree(FIXTURE, tmp_path / "scienceqa", ignore=ignored, copy_function=shutil.copyfile))


def test_a_sound_folder_has_no_fault() -> None:
    found = audit(str(FIXTURE))
    assert not found.faulty
    assert (found.unlisted, found.unknown, found.shared, found.duplicates) == ((), (), (), ())
    assert found.sets == {
        "train": 36, "val": 12, "test": 12, "trainval": 48, "minitrain": 18, "minival": 6, "minitest": 6,
    }  # fmt: skip
    assert sum(found.subjects.values()) == sum(found.grades.values()) == 60
    assert found.subjects["natural science", "test"] == 6
    assert "6 of natural science in test" in found.lines()


def test_what_was_broken_is_found(folder: Path) -> None:
    problems = json.loads((folder / "problems.json").read_text())
    sets = json.loads((folder / "pid_splits.json").read_text())
    pictured = [pid for pid in sets["train"] if problems[pid]["image"]]
    plain = [pid for pid in sets["train"] if not problems[pid]["image"]]
    (folder / "images" / "train" / pictured[0] / "image.png").unlink()
    problems[plain[0]]["answer"] = 9
    problems["900"] = {**problems[plain[1]], "lecture": "other"}  # the same words in another split
    problems["901"] = {**problems[pictured[1]]}  # the same words and pixels
    problems["902"] = {**problems[pictured[2]]}  # the same words, another picture
    problems["903"] = {**problems[plain[2]]}  # in no split
    for new, image in (("901", pictured[1]), ("902", pictured[3])):
        (folder / "images" / "test" / new).mkdir()
        shutil.copyfile(folder / "images/train" / image / "image.png", folder / "images/test" / new / "image.png")
        problems[new]["split"] = "test"
    sets["test"] += ["900", "901", "902", plain[3], "1000"]
    (folder / "problems.json").write_text(json.dumps(problems))
    (folder / "pid_splits.json").write_text(json.dumps(sets))
    found = audit(str(folder))
    assert found.faulty
    assert found.images == {pictured[0]: "no image"}
    assert found.unusable == {plain[0]: "answer out of range"}
    assert found.unlisted == ("903",)
    assert found.unknown == ("1000",)
    assert found.shared == (plain[3],)
    assert sorted(found.duplicates) == sorted([(plain[1], "900"), (pictured[1], "901")])
    lines = found.lines()
    assert "2 groups of duplicates lie across splits" in lines
    assert f"  {plain[0]} (answer out of range)" in lines


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
