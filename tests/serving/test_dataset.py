"""Test that data sets in CircuitSense's layouts are read back with the same answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from circuitvlm.circuit import netlist
from circuitvlm.data.circuitsense.audit import audit
from circuitvlm.serving.export.dataset import write_circuitsense


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("written") / "set"
    write_circuitsense(path, count=10, seed=3, components=(3, 6), symbolic_share=0.5)
    return path


def test_every_layout_is_there(folder: Path) -> None:
    labels = json.loads((folder / "labels.json").read_text())
    equations = json.loads((folder / "symbolic_equations.json").read_text())["results"]
    questions = json.loads((folder / "circuit_qa_dataset.json").read_text())["questions"]
    assert len(labels) == 10
    assert {row["circuit_id"] for row in equations} | {q["circuit_id"] for q in questions} == set(labels)
    for name, text in labels.items():
        netlist.parse(text)
        assert min(Image.open(folder / f"{name}.png").size) >= 100


def test_our_own_audit_finds_no_fault(folder: Path, tmp_path: Path) -> None:
    report = audit(str(folder), cache=str(tmp_path))
    assert not report.contradictions
    assert report.checked_answers > 10


def test_a_series_does_not_depend_on_its_length(folder: Path, tmp_path: Path) -> None:
    write_circuitsense(tmp_path / "short", count=2, seed=3, components=(3, 6), symbolic_share=0.5)
    for name in ("1_1", "1_2"):
        assert (tmp_path / "short" / f"{name}.png").read_bytes() == (folder / f"{name}.png").read_bytes()


def test_a_folder_with_something_in_it_is_left_alone(folder: Path) -> None:
    with pytest.raises(ValueError, match="new or empty folder"):
        write_circuitsense(folder, count=1, seed=0, components=(3, 4), symbolic_share=1.0)
