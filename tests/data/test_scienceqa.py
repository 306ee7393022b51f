"""Test that both layouts of ScienceQA are read, and that unusable problems are counted."""

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


def source(root: Path, **changes: Any) -> ScienceQA:
    kwargs: dict[str, Any] = {
        "revision": "main",
        "splits": SPLITS,
        "on_missing_image": "stop",
        "on_unusable": "stop",
        "cache": str(root / "cache"),
    }
    return ScienceQA(root=str(root), **kwargs | changes)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    patterns = shutil.ignore_patterns("*.py", "__pycache__")
    return Path(shutil.copytree(FIXTURE, tmp_path / "scienceqa", ignore=patterns, copy_function=shutil.copyfile))


def change(folder: Path, pid: str, **changes: Any) -> None:
    problems = json.loads((folder / "problems.json").read_text())
    problems[pid] = {name: value for name, value in {**problems[pid], **changes}.items() if value is not ...}
    (folder / "problems.json").write_text(json.dumps(problems))


def edit(path: Path, how: Callable[[Any], Any]) -> None:
    path.write_text(json.dumps(how(json.loads(path.read_text()))))


def pids(split: str, *, image: bool | None = None) -> list[str]:
    return [pid for pid, p in PROBLEMS.items() if p["split"] == split and (image is None or bool(p["image"]) == image)]


def test_every_problem_becomes_an_example() -> None:
    data = source(FIXTURE)
    assert data.splits() == ("train", "validation", "test")
    for split, part in (("train", "train"), ("validation", "val"), ("test", "test")):
        assert [example.id for example in data.examples(split)] == pids(part)
    assert data.unusable == Counter()
    example = next(example for example in data.examples("test") if example.images)
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
    data = source(folder, splits=splits)
    assert [example.id for example in data.examples("train")] == pids("train") + pids("val")


def test_mini_sets_are_given_out_where_they_are_stated() -> None:
    splits = {"train": {"pids": "minitrain"}, "validation": {"pids": "minival"}, "test": None}
    data = source(FIXTURE, splits=splits)
    assert data.splits() == ("train", "validation")
    sets = json.loads((FIXTURE / "pid_splits.json").read_text())
    assert [example.id for example in data.examples("validation")] == sets["minival"]


@pytest.mark.parametrize(("first", "second"), [("trainval", "val"), ("test", "minitest"), ("train", "train")])
def test_splits_that_share_a_problem_are_refused(first: str, second: str) -> None:
    data = source(FIXTURE, splits={"train": {"pids": first}, "validation": {"pids": second}})
    with pytest.raises(ValueError, match=rf"train \({first}\) and validation \({second}\) share \d+ problems"):
        data.examples("train")
    with pytest.raises(ValueError, match="share"):
        data.examples("validation")


def test_a_set_that_is_not_there_is_named_when_it_is_asked_for() -> None:
    data = source(FIXTURE, splits={**SPLITS, "mini": {"pids": "minitests"}})
    assert len(data.examples("test")) == len(pids("test"))
    with pytest.raises(ValueError, match=r"got 'minitests'.*Did you mean 'minitest'"):
        data.examples("mini")
    with pytest.raises(ValueError, match="expected a split of train, validation, test, got 'val'"):
        source(FIXTURE).examples("val")


# ---------------------------------------------------------------------------------------------- images that are missing


def without_images(folder: Path) -> tuple[str, str]:
    """One image gone, one torn."""
    missing_pid, damaged_pid = pids("train", image=True)[:2]
    (folder / "images" / "train" / missing_pid / "image.png").unlink()
    (folder / "images" / "train" / damaged_pid / "image.png").write_bytes(b"\x89PNG torn")
    return missing_pid, damaged_pid


def test_a_missing_image_stops_whoever_asks_for_its_set(folder: Path) -> None:
    missing_pid, _ = without_images(folder)
    data = source(folder)
    assert len(data.examples("test")) == len(pids("test"))
    for _ in range(2):
        with pytest.raises(DataFileError, match=f"problem {missing_pid}: no image.*on_missing_image: skip"):
            data.examples("train")
    with pytest.raises(DataFileError, match=f"problem {missing_pid}"):
        _ = data.unusable
    assert len(data.examples("validation")) == len(pids("val"))


def test_a_set_is_looked_at_when_it_is_asked_for_and_once(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = source(folder)
    messages = []
    with caplog.at_level(logging.INFO):
        for split in ("test", "test", "train"):
            data.examples(split)
            messages.append([r.message for r in caplog.records if r.message.startswith("scienceqa:")])
    test_message = f"scienceqa: 12 problems of test in {folder}"
    assert messages[0] == messages[1] == [test_message]
    assert messages[2] == [test_message, f"scienceqa: 36 problems of train in {folder}"]


def test_or_its_problem_is_left_out(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    missing_pid, damaged_pid = without_images(folder)
    with caplog.at_level(logging.INFO):
        data = source(folder, on_missing_image="skip", on_unusable="count")
        assert {example.id for example in data.examples("train")} == set(pids("train")) - {missing_pid, damaged_pid}
        assert len(data.examples("test")) == len(pids("test"))
    assert data.unusable == Counter({"no image": 1, "unreadable image": 1})
    (message,) = (record.message for record in caplog.records if "cannot be used" in record.message)
    assert message.startswith(
        f"scienceqa: 34 problems of train in {folder}; 2 cannot be used (no image: 1, first {missing_pid}, got "
    )
    assert f"; unreadable image: 1, first {damaged_pid}, got " in message


def test_or_it_is_asked_without(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    missing_pid, damaged_pid = without_images(folder)
    with caplog.at_level(logging.INFO):
        examples = {example.id: example for example in source(folder, on_missing_image="text").examples("train")}
    assert "; 2 are asked without their image" in caplog.text
    for pid in (missing_pid, damaged_pid):
        assert examples[pid].images == ()
        assert examples[pid].tags["has_image"] == "yes"  # the official groups go by what the problem states
    assert sum(bool(example.images) for example in examples.values()) == len(pids("train", image=True)) - 2


@pytest.mark.parametrize("name", ["../../../problems.json", "/etc/hostname", "a\0b", "C:\\x.png", "image.svg"])
def test_an_image_outside_the_folder_is_no_image(folder: Path, name: str) -> None:
    change(folder, pids("test", image=True)[0], image=name)
    data = source(folder, on_missing_image="text")
    (example,) = [example for example in data.examples("test") if example.id == pids("test", image=True)[0]]
    assert example.images == ()


# ------------------------------------------------------------------------------------------------- what cannot be asked

FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"question": " "}, "no question"),
    ({"question": ...}, "no question"),
    ({"choices": ["one"]}, "not 2 to 8 choices"),
    ({"choices": "ab"}, "not 2 to 8 choices"),
    ({"choices": ["a", 2]}, "choice that is not a text"),
    ({"answer": 7}, "answer out of range"),
    ({"answer": -1}, "answer out of range"),
    ({"answer": True}, "answer out of range"),
    ({"answer": "0"}, "answer out of range"),
    ({"answer": ...}, "answer out of range"),
]


@pytest.mark.parametrize(("changes", "reason"), FAULTS)
def test_a_problem_that_cannot_be_asked_is_counted(folder: Path, changes: dict[str, Any], reason: str) -> None:
    pid = pids("train")[0]
    change(folder, pid, **changes)
    data = source(folder, on_unusable="count")
    assert [example.id for example in data.examples("train")] == pids("train")[1:]
    assert data.unusable == Counter({reason: 1})
    assert len(source(folder).examples("test")) == len(pids("test"))
    expected = rf"35 problems of train .* 1 cannot be used \({reason}: 1, first {pid}, got .*\)"
    with pytest.raises(DataFileError, match=expected):
        source(folder).examples("train")


def test_listed_pids_without_a_problem_are_counted(folder: Path) -> None:
    edit(folder / "pid_splits.json", lambda sets: {**sets, "test": [*sets["test"], "99999", sets["test"][0], 88888]})
    data = source(folder, on_unusable="count")
    assert [example.id for example in data.examples("test")] == pids("test")
    assert data.unusable == Counter({"listed without a problem": 2})


@pytest.mark.parametrize("absent", ["hint", "lecture", "solution", "grade", "subject", "topic", "task", "image"])
def test_a_field_may_be_missing_or_null(folder: Path, absent: str) -> None:
    first, second = pids("test")[:2]
    change(folder, first, **{absent: ...})
    change(folder, second, **{absent: None})
    examples = source(folder).examples("test")
    assert len(examples) == len(pids("test"))
    assert all(isinstance(examples[k].facts[name], str) for k in (0, 1) for name in ("hint", "lecture", "solution"))


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("problems.json", "[]", "expected a JSON object, got a list"),
        ("problems.json", '{"1": ', "invalid JSON from byte"),
        ("problems.json", '{"1": 3}', "'1': expected an object with question, choices and answer, got 3"),
        ("pid_splits.json", '{"train": "1"}', "'train': expected a list of pids, got '1'"),
        ("captions.json", '{"captions": []}', "captions"),
    ],
)
def test_a_broken_file_is_named(folder: Path, file: str, text: str, message: str) -> None:
    (folder / file).write_text(text)
    with pytest.raises(DataFileError, match=message) as info:
        source(folder).examples("test")
    assert file in str(info.value)


def test_a_folder_of_something_else_is_told_what_was_wanted(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match=r"expected problems\.json or problem\.json, or parquet"):
        source(tmp_path).examples("test")
    with pytest.raises(DataFileError, match="expected a folder, or owner/name of a data set on the hub"):
        source(tmp_path / "no" / "where").examples("test")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"on_missing_image": "skipp"}, "Did you mean 'skip'"),
        ({"on_unusable": "text"}, "expected count or stop"),
        ({"splits": {"train": {"share": 0.5}}}, "expected pids"),
    ],
)
def test_settings_that_are_none_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        source(FIXTURE, **changes)


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
    data, other = source(hub, cache=str(tmp_path / "cache")), source(FIXTURE)
    for split in SPLITS:
        mine, theirs = data.examples(split), other.examples(split)
        assert [e.id for e in mine] == [f"{split}-{row}" for row in range(len(theirs))]
        for a, b in zip(mine, theirs, strict=True):
            assert dict(a.facts) == {name: fact for name, fact in b.facts.items() if name != "caption"}
            assert {k: v for k, v in a.tags.items() if k != "pid"} == {k: v for k, v in b.tags.items() if k != "pid"}
            assert [p.path.read_bytes() for p in a.images] == [p.path.read_bytes() for p in b.images]


def test_parquet_images_are_unpacked_once_and_only_where_they_are_wanted(hub: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    only = source(hub, cache=str(cache), splits={"test": {"pids": "test"}})
    assert len(only.examples("test")) == len(pids("test"))
    images = sorted(cache.rglob("*.png"))
    assert len(images) == len(pids("test", image=True))
    times = [path.stat().st_mtime_ns for path in images]
    assert len(source(hub, cache=str(cache), splits={"test": {"pids": "test"}}).examples("test")) == len(pids("test"))
    assert [path.stat().st_mtime_ns for path in images] == times
    with pytest.raises(ValueError, match="got 'minitest'"):
        source(hub, cache=str(cache), splits={"test": {"pids": "minitest"}}).examples("test")


def test_trainval_is_made_of_both(hub: Path, tmp_path: Path) -> None:
    data = source(hub, cache=str(tmp_path / "cache"), splits={"train": {"pids": "trainval"}})
    assert [e.id for e in data.examples("train")][-1] == "validation-11"
    assert len(data.examples("train")) == 48


def test_a_torn_parquet_file_is_named(hub: Path, tmp_path: Path) -> None:
    path = next((hub / "data").glob("test*.parquet"))
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(DataFileError, match=f"{path.name}: unreadable parquet file"):
        source(hub, cache=str(tmp_path / "cache")).examples("test")


def test_a_parquet_file_that_is_broken_inside_is_named(hub: Path, tmp_path: Path) -> None:
    path = next((hub / "data").glob("test*.parquet"))
    raw = path.read_bytes()
    path.write_bytes(raw[:4] + b"\xff" * 4000 + raw[4004:])
    with pytest.raises(DataFileError, match=f"{path.name}: unreadable parquet file beyond 0 rows"):
        source(hub, cache=str(tmp_path / "cache")).examples("test")


def test_without_its_reader_parquet_is_refused_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    (tmp_path / "test-00000-of-00001.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataFileError, match="pip install pyarrow"):
        source(tmp_path).examples("test")
