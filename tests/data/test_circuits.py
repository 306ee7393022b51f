"""Test that splits of generated circuits are disjoint, reproducible, and resumed after an interruption."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from circuitvlm.circuit import netlist
from circuitvlm.circuit.judge.equivalence import topology_key
from circuitvlm.data._reading import chunks
from circuitvlm.data._reading.splits import generated_split
from circuitvlm.data.circuits import Circuits
from circuitvlm.data.circuits import source as circuits_source
from circuitvlm.data.circuits.drawings import Split


def source(cache: Path, *, seed: int = 0, num_workers: int = 0, **splits: dict[str, Any]) -> Circuits:
    return Circuits(seed=seed, width=224, height=168, cache=str(cache), num_workers=num_workers, splits=splits)


def split(count: int = 60, topologies: str = "train", **changes: Any) -> dict[str, Any]:
    return {"count": count, "components": [3, 6], "styles": ["american", "iec"], "topologies": topologies} | changes


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def three(cache: Path) -> Circuits:
    return source(cache, train=split(150), validation=split(topologies="validation"), test=split(topologies="test"))


def fingerprint(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_no_topology_lies_in_two_shares(three: Circuits) -> None:
    assert three.splits() == ("train", "validation", "test")
    keys = [{example.tags["topology"] for example in three.examples(name)} for name in three.splits()]
    assert all(not a & b for a, b in combinations(keys, 2))
    assert all(len(found) > 10 for found in keys)


def test_shares_are_about_eighty_ten_ten_and_know_no_seed() -> None:
    shares = [generated_split(hashlib.md5(str(i).encode()).hexdigest()) for i in range(2000)]
    assert [round(shares.count(share) / 2000, 1) for share in ("train", "validation", "test")] == [0.8, 0.1, 0.1]


def test_drawings_are_on_disk_before_they_get_their_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a power loss would leave empty files under names that mark them as whole."""
    calls = []
    for name in ("sync", "rename", "replace"):
        monkeypatch.setattr(os, name, recorded(getattr(os, name), name, calls))
    source(tmp_path, train=split(3)).examples("train")
    assert calls == ["sync", "rename", "sync", "replace"]


def recorded(function: Callable[..., None], name: str, calls: list[str]) -> Callable[..., None]:
    def call(*args: Any) -> None:
        calls.append(name)
        function(*args)

    return call


def test_an_example_is_what_its_netlist_says(three: Circuits) -> None:
    examples = [example for name in three.splits() for example in three.examples(name)]
    assert len({example.id for example in examples}) == len(examples) == 270
    for example in examples[::9]:
        text = example.facts["netlist"]
        assert isinstance(text, str)
        circuit = netlist.parse(text)
        assert netlist.format(circuit) == text
        assert topology_key(circuit) == example.tags["topology"]
        assert example.tags["components"] == str(len(circuit.devices))
        assert set(example.tags) == {"style", "components", "family", "topology"}
        assert example.images[0].open().size == (224, 168)


def test_no_circuit_comes_twice(three: Circuits) -> None:
    assert len({example.facts["netlist"] for example in three.examples("train")}) == 150


def test_styles_come_as_often_as_they_are_named(cache: Path) -> None:
    examples = source(cache, train=split(150, styles=["american", "american", "american", "iec"])).examples("train")
    assert 0.6 < sum(example.tags["style"] == "american" for example in examples) / 150 < 0.9


def test_workers_make_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serial = source(tmp_path / "a", train=split(8)).examples("train")
    monkeypatch.setattr(chunks, "CHUNK", 4)
    parallel = source(tmp_path / "b", num_workers=2, train=split(8)).examples("train")
    assert len(parallel) == 8
    for a, b in zip(serial, parallel, strict=True):
        assert (a.id, a.facts, a.tags) == (b.id, b.facts, b.tags)
        assert a.images[0].path.read_bytes() == b.images[0].path.read_bytes()


def test_single_parts_are_small_pictures(tmp_path: Path) -> None:
    single = source(tmp_path, one=split(6, components=[1, 1], topologies="test")).examples("one")
    assert [(e.tags["family"], e.images[0].open().size) for e in single] == [("single", (112, 84))] * 6


def test_a_killed_run_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "CHUNK", 5)
    source(tmp_path / "whole", train=split(15)).examples("train")
    make_item = circuits_source._make_item

    def interrupt(settings: Split, index: int) -> Any:
        if index == 12:
            raise KeyboardInterrupt
        return make_item(settings, index)

    monkeypatch.setattr(circuits_source, "_make_item", interrupt)
    monkeypatch.setattr("os.getpid", lambda: 0)
    with pytest.raises(KeyboardInterrupt):
        source(tmp_path / "killed", train=split(15)).examples("train")
    folder = next((tmp_path / "killed").iterdir())
    assert len(list((folder / "images").iterdir())) == 2
    assert not (folder / chunks.ITEMS).is_file()
    calls: list[int] = []

    def count(settings: Split, index: int) -> Any:
        calls.append(index)
        return make_item(settings, index)

    monkeypatch.setattr(circuits_source, "_make_item", count)
    source(tmp_path / "killed", train=split(15)).examples("train")
    assert calls == [10, 11, 12, 13, 14]
    shutil.rmtree(next(folder.glob("*.tmp")))  # what the kill left behind goes when it is an hour old
    assert fingerprint(tmp_path / "killed") == fingerprint(tmp_path / "whole")


def test_a_second_process_may_be_faster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_item = circuits_source._make_item

    def make_item_later(settings: Split, index: int) -> Any:
        monkeypatch.setattr(circuits_source, "_make_item", make_item)
        source(tmp_path, train=split(5)).examples("train")  # another process finishes while this one is drawing
        return make_item(settings, index)

    monkeypatch.setattr(circuits_source, "_make_item", make_item_later)
    assert len(source(tmp_path, train=split(5)).examples("train")) == 5
    assert not list(tmp_path.rglob("*.tmp"))


def test_settings_decide_the_folder(tmp_path: Path) -> None:
    for seed, count in ((0, 4), (1, 4), (0, 5)):
        source(tmp_path, seed=seed, train=split(count)).examples("train")
    assert len(list(tmp_path.iterdir())) == 3


def test_too_many_of_a_kind_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "ROUNDS", 2)
    monkeypatch.setattr(circuits_source, "_row_key", lambda row: ())
    with pytest.raises(ValueError, match="expected 3 distinct items, got 1"):
        source(tmp_path, train=split(3)).examples("train")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (split() | {"colour": 1}, "splits.train: expected the keys .*colour"),
        (split(topologies="all"), "topologies: expected .* got 'all'"),
        (split(styles=["iecc"]), "style: expected one of .* got 'iecc'"),
        (split(styles=[]), "styles: expected at least one"),
        (split(count=0), "count: expected 1 or more, got 0"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        source(tmp_path, train=settings)


def test_an_unknown_split_is_named(three: Circuits) -> None:
    with pytest.raises(ValueError, match="expected a split of train, validation, test, got 'tset'"):
        three.examples("tset")
