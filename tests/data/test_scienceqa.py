"""Is ScienceQA read as it lies on disk, in both layouts, and is what cannot be used counted?"""

from __future__ import annotations

import json
import logging
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from circuitvlm.data._reading.files import DataFileError
from circuitvlm.data.scienceqa import ScienceQA

FIXTURE = Path(__file__).parents[1] / "fixtures" / "scienceqa"
SPLITS = {"train": {"pids": "train"}, "validation": {"pids": "val"}, "test": {"pids": "test"}}
PROBLEMS: dict[str, Any] = json.loads((FIXTURE / "problems.json").read_text())


def source(root: Path, **changed: Any) -> ScienceQA:
    said: dict[str, Any] = {
        "revision": "main",
        "splits": SPLITS,
        "on_missing_image": "stop",
        "on_unusable": "stop",
        "cache": str(root / "cache"),
    }
    return ScienceQA(root=str(root), **said | changed)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    ignored = shutil.ignore_patterns("*.py", "__pycache__")
    return Path(shutil.copytree(FIXTURE, tmp_path / "scienceqa", ignore=ignored, copy_function=shutil.copyfile))


def change(folder: Path, pid: str, **changed: Any) -> None:
    problems = json.loads((folder / "problems.json").read_text())
    problems[pid] = {name: value for name, value in {**problems[pid], **changed}.items() if value is not ...}
    (folder / "problems.json").write_text(json.dumps(problems))


def edit(path: Path, how: Callable[[Any], Any]) -> None:
    path.write_text(json.dumps(how(json.loads(path.read_text()))))


def pids(split: str, *, image: bool | None = None) -> list[str]:
    return [pid for pid, p in PROBLEMS.items() if p["split"] == split and (image is None or bool(p["image"]) == image)]


def test_every_problem_becomes_an_example() -> None:
    one = source(FIXTURE)
    assert one.splits() == ("train", "validation", "test")
    for split, own in (("train", "train"), ("validation", "val"), ("test", "test")):
        assert [example.id for example in one.examples(split)] == pids(own)
    assert one.unusable == Counter()
    example = next(example for example in one.examples("test") if example.images)
    problem = PROBLEMS[example.id]
    assert example.facts == {
        "kind": "choice",
        "question": problem["question"],
        "options": problem["choices"],
        "answer": "ABCDE"[problem["answer"]],
        "hint": problem["hint"],
        "lecture": problem["lecture"],
        "solution": problem["solution"],
        "caption": json.loads((FIXTURE / "captions.json").read_text())["captions"][example.id],
    }
    assert example.images[0].path == FIXTURE / "images" / "test" / example.id / "image.png"
    assert dict(example.tags) == {
        "kind": "choice",
        "pid": example.id,
        "options": str(len(problem["choices"])),
        "answer": "ABCDE"[problem["answer"]],
        "subject": problem["subject"],
        "topic": problem["topic"],
        "category": problem["category"],
        "grade": problem["grade"].removeprefix("grade"),
        "grade_band": "1-6" if int(problem["grade"].removeprefix("grade")) < 7 else "7-12",
        "has_hint": "yes" if problem["hint"] else "no",
        "has_image": "yes",
    }


def test_examples_are_made_when_they_are_asked_for() -> None:
    examples = source(FIXTURE).examples("train")
    assert examples[3] is not examples[3]
    assert examples[3] == list(examples)[3] == examples[-len(examples) + 3]
    assert [e.id for e in examples[1:4]] == pids("train")[1:4]


@pytest.mark.parametrize("place", [".", "data", "scienceqa", "data/scienceqa"])
def test_the_folder_may_lie_below_and_be_called_problem(folder: Path, tmp_path: Path, place: str) -> None:
    home = tmp_path / "root" / place
    home.parent.mkdir(parents=True, exist_ok=True)
    (folder / "problems.json").rename(folder / "problem.json")
    folder.rename(home)
    assert len(source(tmp_path / "root").examples("test")) == len(pids("test"))


def test_captions_may_lie_beside_the_folder_or_be_missing(folder: Path) -> None:
    (folder / "captions.json").rename(folder.parent / "captions.json")
    assert any(example.facts["caption"] for example in source(folder).examples("test"))
    (folder.parent / "captions.json").unlink()
    assert all("caption" not in example.facts for example in source(folder).examples("test"))


def test_images_may_lie_without_the_folder_images(folder: Path) -> None:
    for part in ("train", "val", "test"):
        (folder / "images" / part).rename(folder / part)
    assert sum(bool(example.images) for example in source(folder).examples("test")) == len(pids("test", image=True))


def test_without_lists_the_problems_say_their_split(folder: Path) -> None:
    (folder / "pid_splits.json").unlink()
    splits = {"train": {"pids": "trainval"}, "test": {"pids": "test"}}
    one = source(folder, splits=splits)
    assert [example.id for example in one.examples("train")] == pids("train") + pids("val")


def test_mini_sets_are_given_out_where_they_are_stated() -> None:
    splits = {"train": {"pids": "minitrain"}, "validation": {"pids": "minival"}, "test": None}
    one = source(FIXTURE, splits=splits)
    assert one.splits() == ("train", "validation")
    listed = json.loads((FIXTURE / "pid_splits.json").read_text())
    assert [example.id for example in one.examples("validation")] == listed["minival"]


@pytest.mark.parametrize(("one", "other"), [("trainval", "val"), ("test", "minitest"), ("train", "train")])
def test_splits_that_share_a_problem_are_refused(one: str, other: str) -> None:
    shared = source(FIXTURE, splits={"train": {"pids": one}, "validation": {"pids": other}})
    with pytest.raises(ValueError, match=rf"train \({one}\) and validation \({other}\) share \d+ problems"):
        shared.examples("train")
    with pytest.raises(ValueError, match="share"):
        shared.examples("validation")


def test_a_set_that_is_not_there_is_named_when_it_is_asked_for() -> None:
    one = source(FIXTURE, splits={**SPLITS, "mini": {"pids": "minitests"}})
    assert len(one.examples("test")) == len(pids("test"))
    with pytest.raises(ValueError, match=r"no set 'minitests'.*Did you mean 'minitest'"):
        one.examples("mini")
    with pytest.raises(ValueError, match="no split 'val'; there are train, validation, test"):
        source(FIXTURE).examples("val")


# ---------------------------------------------------------------------------------------------- images that are missing


def without_images(folder: Path) -> tuple[str, str]:
    """One image gone, one torn."""
    gone, torn = pids("train", image=True)[:2]
    (folder / "images" / "train" / gone / "image.png").unlink()
    (folder / "images" / "train" / torn / "image.png").write_bytes(b"\x89PNG torn")
    return gone, torn


def test_a_missing_image_stops_whoever_asks_for_its_set(folder: Path) -> None:
    gone, _ = without_images(folder)
    one = source(folder)
    assert len(one.examples("test")) == len(pids("test"))
    for _ in range(2):
        with pytest.raises(DataFileError, match=f"problem {gone}: no image.*on_missing_image: skip"):
            one.examples("train")
    with pytest.raises(DataFileError, match=f"problem {gone}"):
        _ = one.unusable
    assert len(one.examples("validation")) == len(pids("val"))


def test_a_set_is_looked_at_when_it_is_asked_for_and_once(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    one = source(folder)
    said = []
    with caplog.at_level(logging.INFO):
        for split in ("test", "test", "train"):
            one.examples(split)
            said.append([r.message for r in caplog.records if r.name == "circuitvlm.data.scienceqa"])
    assert said[0] == said[1] == ["scienceqa: 12 of test"]
    assert said[2] == ["scienceqa: 12 of test", "scienceqa: 36 of train"]


def test_or_its_problem_is_left_out(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    gone, torn = without_images(folder)
    with caplog.at_level(logging.INFO):
        one = source(folder, on_missing_image="skip", on_unusable="count")
        assert {example.id for example in one.examples("train")} == set(pids("train")) - {gone, torn}
        assert len(one.examples("test")) == len(pids("test"))
    assert one.unusable == Counter({"no image": 1, "unreadable image": 1})
    assert [record.message for record in caplog.records if "cannot be used" in record.message] == [
        "scienceqa: 34 of train; 2 cannot be used (1 no image, 1 unreadable image)"
    ]


def test_or_it_is_asked_without(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    gone, torn = without_images(folder)
    with caplog.at_level(logging.INFO):
        found = {example.id: example for example in source(folder, on_missing_image="text").examples("train")}
    assert "; 2 are asked without their image" in caplog.text
    for pid in (gone, torn):
        assert found[pid].images == ()
        assert found[pid].tags["has_image"] == "yes"  # the official groups go by what the problem states
    assert sum(bool(example.images) for example in found.values()) == len(pids("train", image=True)) - 2


@pytest.mark.parametrize("name", ["../../../problems.json", "/etc/hostname", "a\0b", "C:\\x.png", "image.svg"])
def test_an_image_outside_the_folder_is_no_image(folder: Path, name: str) -> None:
    change(folder, pids("test", image=True)[0], image=name)
    one = source(folder, on_missing_image="text")
    (example,) = [example for example in one.examples("test") if example.id == pids("test", image=True)[0]]
    assert example.images == ()


# ------------------------------------------------------------------------------------------------- what cannot be asked

FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"question": " "}, "no question"),
    ({"question": ...}, "no question"),
    ({"choices": ["one"]}, "choices are not 2 to 8"),
    ({"choices": "ab"}, "choices are not 2 to 8"),
    ({"choices": ["a", 2]}, "choice that is no text"),
    ({"answer": 7}, "answer out of range"),
    ({"answer": -1}, "answer out of range"),
    ({"answer": True}, "answer out of range"),
    ({"answer": "0"}, "answer out of range"),
    ({"answer": ...}, "answer out of range"),
]


@pytest.mark.parametrize(("changed", "reason"), FAULTS)
def test_a_problem_that_cannot_be_asked_is_counted(folder: Path, changed: dict[str, Any], reason: str) -> None:
    pid = pids("train")[0]
    change(folder, pid, **changed)
    one = source(folder, on_unusable="count")
    assert [example.id for example in one.examples("train")] == pids("train")[1:]
    assert one.unusable == Counter({reason: 1})
    assert len(source(folder).examples("test")) == len(pids("test"))
    with pytest.raises(DataFileError, match=rf"1 problems of train cannot be used: {pid} \({reason}\)"):
        source(folder).examples("train")


def test_listed_pids_without_a_problem_are_counted(folder: Path) -> None:
    edit(folder / "pid_splits.json", lambda said: {**said, "test": [*said["test"], "99999", said["test"][0], 88888]})
    one = source(folder, on_unusable="count")
    assert [example.id for example in one.examples("test")] == pids("test")
    assert one.unusable == Counter({"listed without a problem": 2})


@pytest.mark.parametrize("absent", ["hint", "lecture", "solution", "grade", "subject", "topic", "task", "image"])
def test_a_field_may_be_missing_or_null(folder: Path, absent: str) -> None:
    first, second = pids("test")[:2]
    change(folder, first, **{absent: ...})
    change(folder, second, **{absent: None})
    examples = source(folder).examples("test")
    assert len(examples) == len(pids("test"))
    assert all(isinstance(examples[k].facts[name], str) for k in (0, 1) for name in ("hint", "lecture", "solution"))


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("problems.json", "[]", "wanted a JSON object, came list"),
        ("problems.json", '{"1": ', "no JSON from byte"),
        ("problems.json", '{"1": 3}', "'1' is 3; wanted a problem"),
        ("pid_splits.json", '{"train": "1"}', "'train' is '1'; wanted a list"),
        ("captions.json", '{"captions": []}', "captions"),
    ],
)
def test_a_broken_file_is_named(folder: Path, file: str, text: str, said: str) -> None:
    (folder / file).write_text(text)
    with pytest.raises(DataFileError, match=said) as caught:
        source(folder).examples("test")
    assert file in str(caught.value)


def test_a_folder_of_something_else_is_told_what_was_wanted(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match=r"nothing of it.*problems\.json or problem\.json, or parquet"):
        source(tmp_path).examples("test")
    with pytest.raises(DataFileError, match="wanted a folder, or owner/name of the hub"):
        source(tmp_path / "no" / "where").examples("test")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"on_missing_image": "skipp"}, "Did you mean 'skip'"),
        ({"on_unusable": "text"}, "wanted count, stop"),
        ({"splits": {"train": {"share": 0.5}}}, "wanted its pids and no more"),
    ],
)
def test_settings_that_are_none_are_refused(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        source(FIXTURE, **changed)


# -------------------------------------------------------------------------------------------------------------- parquet


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    """The fixture as derek-thomas/ScienceQA has it, train in two files."""
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    (tmp_path / "hub" / "data").mkdir(parents=True)
    parts = [("train", pids("train")[:20]), ("train", pids("train")[20:])]
    parts += [("validation", pids("val")), ("test", pids("test"))]
    for place, (split, names) in enumerate(parts):
        rows = []
        for pid in names:
            problem = {name: value for name, value in PROBLEMS[pid].items() if name != "split"}
            path = FIXTURE / "images" / PROBLEMS[pid]["split"] / pid / "image.png"
            image = {"bytes": path.read_bytes(), "path": "image.png"} if problem["image"] else None
            rows.append({**problem, "image": image})
        file = tmp_path / "hub" / "data" / f"{split}-{place:05d}-of-00004-0f.parquet"
        parquet.write_table(arrow.Table.from_pylist(rows), file, row_group_size=7)
    return tmp_path / "hub"


def test_parquet_gives_the_same_problems(hub: Path, tmp_path: Path) -> None:
    one, other = source(hub, cache=str(tmp_path / "cache")), source(FIXTURE)
    for split in SPLITS:
        mine, theirs = one.examples(split), other.examples(split)
        assert [e.id for e in mine] == [f"{split}-{row}" for row in range(len(theirs))]
        for a, b in zip(mine, theirs, strict=True):
            assert dict(a.facts) == {name: fact for name, fact in b.facts.items() if name != "caption"}
            assert {k: v for k, v in a.tags.items() if k != "pid"} == {k: v for k, v in b.tags.items() if k != "pid"}
            assert [p.path.read_bytes() for p in a.images] == [p.path.read_bytes() for p in b.images]


def test_parquet_images_are_unpacked_once_and_only_where_they_are_wanted(hub: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    only = source(hub, cache=str(cache), splits={"test": {"pids": "test"}})
    assert len(only.examples("test")) == len(pids("test"))
    found = sorted(cache.rglob("*.png"))
    assert len(found) == len(pids("test", image=True))
    before = [path.stat().st_mtime_ns for path in found]
    assert len(source(hub, cache=str(cache), splits={"test": {"pids": "test"}}).examples("test")) == len(pids("test"))
    assert [path.stat().st_mtime_ns for path in found] == before
    with pytest.raises(ValueError, match="no set 'minitest'; there are"):
        source(hub, cache=str(cache), splits={"test": {"pids": "minitest"}}).examples("test")


def test_trainval_is_made_of_both(hub: Path, tmp_path: Path) -> None:
    one = source(hub, cache=str(tmp_path / "cache"), splits={"train": {"pids": "trainval"}})
    assert [e.id for e in one.examples("train")][-1] == "validation-11"
    assert len(one.examples("train")) == 48


def test_a_torn_parquet_file_is_named(hub: Path, tmp_path: Path) -> None:
    path = next((hub / "data").glob("test*.parquet"))
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(DataFileError, match=f"{path.name}: no parquet file"):
        source(hub, cache=str(tmp_path / "cache")).examples("test")


def test_a_parquet_file_that_is_broken_inside_is_named(hub: Path, tmp_path: Path) -> None:
    path = next((hub / "data").glob("test*.parquet"))
    raw = path.read_bytes()
    path.write_bytes(raw[:4] + b"\xff" * 4000 + raw[4004:])
    with pytest.raises(DataFileError, match=f"{path.name}: no parquet file that can be read beyond 0 rows"):
        source(hub, cache=str(tmp_path / "cache")).examples("test")


def test_without_its_reader_parquet_is_refused_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    (tmp_path / "test-00000-of-00001.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataFileError, match="pip install pyarrow"):
        source(tmp_path).examples("test")
