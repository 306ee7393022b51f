"""Does the audit of a CORD folder find what was put into it?"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from circuitvlm.data._reading.files import DataFileError
from circuitvlm.data.cord.audit import audit, is_cord

arrow, written = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
FIXTURE = Path(__file__).parents[1] / "fixtures" / "cord"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    ignored = shutil.ignore_patterns("*.py", "__pycache__")
    return Path(shutil.copytree(FIXTURE, tmp_path / "cord", ignore=ignored, copy_function=shutil.copyfile))


def test_a_sound_folder_has_no_fault(folder: Path, tmp_path: Path) -> None:
    found = audit(str(folder), cache=str(tmp_path / "cache"))
    assert not found.faulty
    assert found.parts == {"train": 6, "validation": 3, "test": 3}
    assert found.fields["total.total_price"] == 13
    assert found.fields["menu.nm"] >= 12
    assert "6 in train" in found.lines()


def test_what_was_broken_is_found(folder: Path, tmp_path: Path) -> None:
    (folder / "train" / "json" / "receipt_00000.json").write_text("{")
    for kind, suffix in (("image", "png"), ("json", "json")):
        one = folder / "train" / kind / f"receipt_00002.{suffix}"
        shutil.copyfile(one, folder / "test" / kind / f"receipt_00001.{suffix}")
    one = folder / "dev" / "json" / "receipt_00000.json"
    said = json.loads(one.read_text()) | {
        "gt_parse": json.loads((folder / "test/json/receipt_00000.json").read_text())["gt_parse"]
    }
    one.write_text(json.dumps(said))
    found = audit(str(folder), cache=str(tmp_path / "cache"))
    assert found.faulty
    assert found.unusable == {"ground truth is no JSON": 1}
    assert found.images == (("train-receipt_00002", "test-receipt_00001"),)
    assert found.parses == (
        ("train-receipt_00002", "test-receipt_00001"),
        ("validation-receipt_00000", "test-receipt_00000"),
    )
    assert "1 cannot be used: ground truth is no JSON" in found.lines()
    assert "2 groups with the same parse lie across parts" in found.lines()


def test_the_folder_is_known_by_its_files(tmp_path: Path) -> None:
    assert is_cord(str(FIXTURE))
    assert not is_cord(str(FIXTURE.parent / "scienceqa"))
    assert not is_cord(str(tmp_path / "none"))


def test_files_of_other_data_with_such_names_are_none(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text('{"image": "a.png", "conversations": []}\n')
    written.write_table(arrow.Table.from_pylist([{"image": None, "label": 3}]), tmp_path / "test-0.parquet")
    assert not is_cord(str(tmp_path))
    (tmp_path / "dev.jsonl").write_text('{"image": "a.png", "gt_parse": {\n')
    assert is_cord(str(tmp_path))
    (tmp_path / "dev.jsonl").unlink()
    written.write_table(arrow.Table.from_pylist([{"ground_truth": "{}"}]), tmp_path / "test-0.parquet")
    assert is_cord(str(tmp_path))
    (tmp_path / "test-0.parquet").write_bytes((tmp_path / "test-0.parquet").read_bytes()[:60])
    with pytest.raises(DataFileError, match=r"test-0\.parquet: no parquet file"):
        is_cord(str(tmp_path))
