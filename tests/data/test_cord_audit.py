"""Test that the audit of a CORD folder finds the faults that were put into it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from circuitvlm.data._reading.files import DataFileError
from circuitvlm.data.cord.audit import audit, is_cord

arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
FIXTURE = Path(__file__).parents[1] / "fixtures" / "cord"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    ignore = shutil.ignore_patterns("*.py", "__pycache__")
    return Path(shutil.copytree(FIXTURE, tmp_path / "cord", ignore=ignore, copy_function=shutil.copyfile))


def test_a_sound_folder_has_no_fault(folder: Path, tmp_path: Path) -> None:
    report = audit(str(folder), cache=str(tmp_path / "cache"))
    assert not report.is_faulty
    assert report.parts == {"train": 6, "validation": 3, "test": 3}
    assert report.fields["total.total_price"] == 13
    assert report.fields["menu.nm"] >= 12
    assert "6 in train" in report.lines()


def test_what_was_broken_is_found(folder: Path, tmp_path: Path) -> None:
    (folder / "train" / "json" / "receipt_00000.json").write_text("{")
    for kind, suffix in (("image", "png"), ("json", "json")):
        path = folder / "train" / kind / f"receipt_00002.{suffix}"
        shutil.copyfile(path, folder / "test" / kind / f"receipt_00001.{suffix}")
    path = folder / "dev" / "json" / "receipt_00000.json"
    truth = json.loads(path.read_text()) | {
        "gt_parse": json.loads((folder / "test/json/receipt_00000.json").read_text())["gt_parse"]
    }
    path.write_text(json.dumps(truth))
    report = audit(str(folder), cache=str(tmp_path / "cache"))
    assert report.is_faulty
    assert report.unusable == {"ground truth is not JSON": 1}
    assert report.images == (("train-receipt_00002", "test-receipt_00001"),)
    assert report.parses == (
        ("train-receipt_00002", "test-receipt_00001"),
        ("validation-receipt_00000", "test-receipt_00000"),
    )
    assert "1 cannot be used: ground truth is not JSON" in report.lines()
    assert "2 groups with the same parse in several parts" in report.lines()


def test_the_folder_is_known_by_its_files(tmp_path: Path) -> None:
    assert is_cord(str(FIXTURE))
    assert not is_cord(str(FIXTURE.parent / "scienceqa"))
    assert not is_cord(str(tmp_path / "none"))


def test_files_of_other_data_with_such_names_are_none(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text('{"image": "a.png", "conversations": []}\n')
    parquet.write_table(arrow.Table.from_pylist([{"image": None, "label": 3}]), tmp_path / "test-0.parquet")
    assert not is_cord(str(tmp_path))
    (tmp_path / "dev.jsonl").write_text('{"image": "a.png", "gt_parse": {\n')
    assert is_cord(str(tmp_path))
    (tmp_path / "dev.jsonl").unlink()
    parquet.write_table(arrow.Table.from_pylist([{"ground_truth": "{}"}]), tmp_path / "test-0.parquet")
    assert is_cord(str(tmp_path))
    (tmp_path / "test-0.parquet").write_bytes((tmp_path / "test-0.parquet").read_bytes()[:60])
    with pytest.raises(DataFileError, match=r"test-0\.parquet: unreadable parquet file"):
        is_cord(str(tmp_path))
