"""Test that LLaVA's conversations are read as images with netlists, and that unusable ones are counted."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from circuitvlm.circuit import netlist
from circuitvlm.circuit.judge.equivalence import topology_key
from circuitvlm.data._reading.files import DataFileError
from circuitvlm.data.netlist_pairs import NetlistPairs

FIXTURE = Path(__file__).parents[1] / "fixtures" / "netlist_pairs"
SPLITS = {"train": {"share": 0.8}, "validation": {"share": 0.1}, "test": {"share": 0.1}}


def source(root: Path, file: str = "pairs.json", **changes: Any) -> NetlistPairs:
    settings: dict[str, Any] = {"splits": SPLITS, "cache": str(root / "cache"), "on_unusable": "count"}
    return NetlistPairs(root=str(root), file=file, **settings | changes)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(FIXTURE, tmp_path / "pairs", copy_function=shutil.copyfile)
    return tmp_path / "pairs"


def rows(folder: Path) -> list[Any]:
    return list(json.loads((folder / "pairs.json").read_text()))


def test_a_flat_answer_is_a_canonical_netlist() -> None:
    pairs = source(FIXTURE)
    examples = {example.id: example for split in pairs.splits() for example in pairs.examples(split)}
    assert set(examples) == {f"pair_{i}" for i in range(1, 8)}
    for example in examples.values():
        text = str(example.facts["netlist"])
        assert netlist.format(netlist.parse(text)) == text == example.facts["answer"]
        assert example.facts["question"] == "Generate a netlist for the circuit"
        assert example.tags == {"kind": "netlist", "topology": topology_key(netlist.parse(text))}
        assert example.images[0].open().size == (224, 168)


def test_no_topology_lies_in_two_splits() -> None:
    pairs = source(FIXTURE)
    keys = [{example.tags["topology"] for example in pairs.examples(split)} for split in pairs.splits()]
    assert all(keys)
    assert all(not a & b for a, b in combinations(keys, 2))


def test_what_cannot_be_used_is_counted() -> None:
    assert source(FIXTURE).unusable == Counter(
        {
            "no image": 1,
            "unreadable netlist": 1,
            "duplicate id": 1,
            "no conversation": 1,
            "path leads out of the folder": 1,
        }
    )
    with pytest.raises(DataFileError, match=r"5 cannot be used \(.*, first number 8"):
        source(FIXTURE, on_unusable="stop").examples("train")


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_json_lines_are_the_same(folder: Path, mark: str) -> None:
    text = mark + "\r\n\n".join(json.dumps(row, ensure_ascii=False) for row in rows(folder))
    (folder / "pairs.jsonl").write_text(text, encoding="utf-8")
    for split in SPLITS:
        expected_facts = [(e.id, e.facts) for e in source(folder).examples(split)]
        assert [(e.id, e.facts) for e in source(folder, "pairs.jsonl").examples(split)] == expected_facts


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{"id": 1}, ]', "pairs.json: invalid JSON from byte 12 on"),
        ('{"id": 1}\n{"id": }\n', "pairs.json: invalid JSON from byte 17 on"),
        ("[" * 50_000, "unreadable JSON from byte 0"),
    ],
)
def test_broken_json_names_the_byte(folder: Path, text: str, message: str) -> None:
    (folder / "pairs.json").write_text(text)
    with pytest.raises(DataFileError, match=message):
        source(folder).examples("train")


@pytest.mark.parametrize(
    ("turns", "reason"),
    [
        (None, "no conversation"),
        ([{"from": "human", "value": "<image>"}, {"from": "gpt", "value": "v1 1 0 5"}], "no question"),
        ([{"from": "human", "value": "x"}, {"from": "gpt", "value": " "}], "no answer"),
        ([{"from": "gpt", "value": "v1 1 0 5"}, {"from": "human", "value": "x"}], "no conversation"),
        ([{"from": ["human"], "value": "x"}, {"from": {}, "value": 5}, 7], "no conversation"),
    ],
)
def test_turns_that_are_no_question_with_its_answer_are_counted(folder: Path, turns: Any, reason: str) -> None:
    row = {"id": "a", "image": "1.png", "conversations": turns}
    (folder / "pairs.json").write_text(json.dumps([*rows(folder)[:7], row]))
    assert source(folder).unusable == Counter({reason: 1})


def test_a_system_turn_before_the_question_is_passed_over(folder: Path) -> None:
    turns = [
        {"from": "system", "value": "You are."},
        {"from": "human", "value": "Which?\n<image>"},
        {"from": "gpt", "value": "v1 1 0 5 r1 1 0 2"},
        {"from": "human", "value": "And now?"},
    ]
    (folder / "pairs.json").write_text(json.dumps([{"image": "1.png", "conversations": turns}]))
    pairs = source(folder, splits={"all": {"share": 1}})
    assert [(e.id, e.facts["question"], e.facts["netlist"]) for e in pairs.examples("all")] == [
        ("pair-1", "Which?", "V1 1 0 5\nR1 1 0 2")
    ]


def test_wrong_settings_and_a_missing_file_are_named(folder: Path) -> None:
    with pytest.raises(DataFileError, match=r"none\.json: expected a file of JSON"):
        source(folder, "none.json").examples("train")
    with pytest.raises(ValueError, match="got 'tset'"):
        source(folder).examples("tset")
    with pytest.raises(ValueError, match="expected count or stop"):
        source(folder, on_unusable="ignore")
