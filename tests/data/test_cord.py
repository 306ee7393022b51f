"""Test that CORD is read in each of its layouts, and that unusable receipts are named and counted."""

from __future__ import annotations

import json
import logging
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from circuitvlm.data._reading.files import DataFileError
from circuitvlm.data.cord import Cord
from circuitvlm.data.cord import source as cord_source
from circuitvlm.data.cord.files import part_of
from circuitvlm.data.cord.truth import parse_lines
from circuitvlm.runtime import hub as hub_module
from circuitvlm.runtime.hub import Snapshot
from tests.steps import max_calls

FIXTURE = Path(__file__).parents[1] / "fixtures" / "cord"
SPLITS = {"train": {"part": "train"}, "validation": {"part": "validation"}, "test": {"part": "test"}}
COUNTS = {"train": 6, "validation": 3, "test": 3}


def source(root: Path | str, **changes: Any) -> Cord:
    cache = Path(root).parent / "cache"
    settings: dict[str, Any] = {"revision": "main", "splits": SPLITS, "on_unusable": "stop", "cache": str(cache)}
    return Cord(root=str(root), **settings | changes)


def load_truths(part: str) -> list[dict[str, Any]]:
    """The JSON of a part's receipts, in order."""
    return [json.loads(path.read_text()) for path in sorted((FIXTURE / part / "json").glob("*.json"))]


def images(part: str) -> list[Path]:
    return sorted((FIXTURE / part / "image").glob("*.png"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    ignore = shutil.ignore_patterns("*.py", "__pycache__")
    return Path(shutil.copytree(FIXTURE, tmp_path / "cord", ignore=ignore, copy_function=shutil.copyfile))


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    """The fixture as naver-clova-ix/cord-v2 has it, train in two files."""
    rows = {
        part: [
            {"image": {"bytes": image.read_bytes(), "path": None}, "ground_truth": json.dumps(truth)}
            for truth, image in zip(load_truths(part), images(part), strict=True)
        ]
        for part in ("train", "dev", "test")
    }
    files = {"train-00000-of-00002-b4": rows["train"][:4], "train-00001-of-00002-7d": rows["train"][4:]}
    files |= {"validation-00000-of-00001-cc": rows["dev"], "test-00000-of-00001-9c": rows["test"]}
    for name, file_rows in files.items():
        write_parquet(tmp_path / "hub" / "data" / f"{name}.parquet", file_rows)
    return tmp_path / "hub"


def write_parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(arrow.Table.from_pylist(rows), path, row_group_size=2, compression="none")


def write_lines(folder: Path, rows: list[Any], *, name: str = "test.jsonl") -> Path:
    """JSON lines of a test part, beside a copy of the fixture's test images."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for image in images("test"):
        shutil.copyfile(image, folder / "images" / image.name)
    (folder / name).write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows))
    return folder


ONE_TEST = {"splits": {"test": {"part": "test"}}}
IMAGE = "images/receipt_00000.png"


# --------------------------------------------------------------------------------------------------- the three layouts


def test_every_receipt_of_the_folders_becomes_an_example() -> None:
    cord = source(FIXTURE)
    assert cord.splits() == ("train", "validation", "test")
    for split, part in (("train", "train"), ("validation", "dev"), ("test", "test")):
        examples = cord.examples(split)
        assert len(examples) == COUNTS[split]
        for place, (example, truth, image) in enumerate(zip(examples, load_truths(part), images(part), strict=True)):
            assert example.id == f"{split}-receipt_{place:05d}"
            assert set(example.facts) == {"kind", "answer"}
            assert example.facts["kind"] == "extract"
            answer = example.facts["answer"]
            assert answer == json.dumps(truth["gt_parse"], ensure_ascii=False, separators=(",", ":"))
            assert [picture.path for picture in example.images] == [image]
            assert dict(example.tags) == {"kind": "extract", "part": split}
    assert any('"total_price":["' in str(example.facts["answer"]) for example in cord.examples("train"))


def test_parquet_gives_the_same_receipts(hub: Path) -> None:
    cord, reference = source(hub), source(FIXTURE)
    for split in SPLITS:
        examples_a, examples_b = cord.examples(split), reference.examples(split)
        assert [example.id for example in examples_a] == [f"{split}-{row}" for row in range(len(examples_b))]
        for a, b in zip(examples_a, examples_b, strict=True):
            assert (a.facts, a.tags) == (b.facts, b.tags)
            assert [p.path.read_bytes() for p in a.images] == [p.path.read_bytes() for p in b.images]


@pytest.mark.parametrize("image", ["image", "file_name"])
@pytest.mark.parametrize(
    "fields_of",
    [
        lambda truth: {"gt_parse": truth["gt_parse"]},
        lambda truth: {"gt_parse": json.dumps(truth["gt_parse"])},
        lambda truth: {"ground_truth": truth},
        lambda truth: {"ground_truth": json.dumps(truth)},
    ],
)
@pytest.mark.parametrize("name", ["test.jsonl", "test/metadata.jsonl"])
def test_json_lines_give_the_same_receipts(
    tmp_path: Path, image: str, fields_of: Callable[[Any], Any], name: str
) -> None:
    home = tmp_path / "lines" / Path(name).parent
    rows = [
        {image: f"images/{path.name}", **fields_of(truth)}
        for truth, path in zip(load_truths("test"), images("test"), strict=True)
    ]
    write_lines(home, rows, name=Path(name).name)
    examples_a, examples_b = source(tmp_path / "lines", **ONE_TEST).examples("test"), source(FIXTURE).examples("test")
    assert [(e.facts, e.tags) for e in examples_a] == [(e.facts, e.tags) for e in examples_b]
    assert [e.images[0].path.read_bytes() for e in examples_a] == [path.read_bytes() for path in images("test")]


def test_a_part_is_read_once(folder: Path) -> None:
    cord = source(folder)
    examples = cord.examples("train")
    shutil.rmtree(folder / "train" / "json")
    assert examples[2] == list(examples)[2] == cord.examples("train")[-4]


def test_only_the_parts_that_are_asked_for_are_read(folder: Path, hub: Path) -> None:
    shutil.rmtree(folder / "train")
    assert len(source(folder).examples("test")) == 3
    assert len(source(hub).examples("validation")) == 3
    assert len(list((hub.parent / "cache").rglob("*.png"))) == 3


@pytest.mark.parametrize(
    ("file", "part"),
    [
        ("data/train-00000-of-00004-b4aaeceff1d90ecb.parquet", "train"),
        ("data/validation-00000-of-00001-cc3c5779fe22e8ca.parquet", "validation"),
        ("val.jsonl", "validation"),
        ("CORD/dev/json/receipt_00000.json", "validation"),
        ("train/json/test_1.json", "train"),
        ("test/metadata.jsonl", "test"),
        ("training.jsonl", ""),
        ("train/image/receipt_00000.png", ""),
        ("train/meta.json", ""),
        ("latest.parquet", ""),
    ],
)
def test_a_file_says_which_part_it_is_of(file: str, part: str) -> None:
    assert part_of(file) == part


def test_of_the_hub_only_what_is_needed_is_fetched(hub: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls: list[Any] = []

    def dataset(name: str, *, revision: str, cache: Path, select: Any) -> Snapshot:
        there = [path.relative_to(hub).as_posix() for path in hub.rglob("*.parquet")]
        calls.append((name, revision, sorted(select([*there, "README.md", "train/json/a.json"]))))
        return Snapshot(hub, tuple(select(there)))

    monkeypatch.setattr(hub_module, "fetch_dataset", dataset)
    cord = source("naver-clova-ix/cord-v2", cache=str(tmp_path / "c"), revision="abc", **ONE_TEST)
    assert len(cord.examples("test")) == 3
    assert calls == [("naver-clova-ix/cord-v2", "abc", ["data/test-00000-of-00001-9c.parquet"])]


# ------------------------------------------------------------------------------------- a release without gt_parse


def test_lines_make_the_parse_where_there_is_none(folder: Path) -> None:
    for path in folder.rglob("*.json"):
        truth = json.loads(path.read_text())
        del truth["gt_parse"]
        path.write_text(json.dumps(truth))
    for split in SPLITS:
        for a, b in zip(source(folder).examples(split), source(FIXTURE).examples(split), strict=True):
            assert json.loads(str(a.facts["answer"])) == json.loads(str(b.facts["answer"]))


def test_lines_keep_what_belongs_together() -> None:
    fields = [("menu.nm", 1, "Es Teh"), ("menu.sub_nm", 1, "Jumbo"), ("menu.sub_price", 1, "2,000")]
    fields += [
        ("menu.nm", 2, "Nasi"),
        ("menu.sub_nm", 2, "Pedas"),
        ("menu.sub_nm", 2, "Telur"),
        ("menu.price", 1, "9,000"),
    ]
    fields += [("void_menu.nm", 3, "Roti"), ("total.total_price", 4, "1"), ("total.total_price", 5, "2"), ("", 6, "x")]
    lines = [
        {"category": category, "group_id": group, "words": [{"text": "KEY", "is_key": 1}, {"text": text, "is_key": 0}]}
        for category, group, text in fields
    ]
    assert parse_lines(lines) == {
        "menu": [
            {"nm": "Es Teh", "sub": {"nm": "Jumbo", "price": "2,000"}, "price": "9,000"},
            {"nm": "Nasi", "sub": [{"nm": "Pedas"}, {"nm": "Telur"}]},
        ],
        "void_menu": {"nm": "Roti"},
        "total": {"total_price": ["1", "2"]},
    }


# ---------------------------------------------------------------------------------------------- faults, by their name


def deep(depth: int) -> str:
    return '{"gt_parse":' + '{"a":' * depth + "1" + "}" * depth + "}"


@pytest.mark.parametrize(
    ("truth", "reason"),
    [
        ("TOTAL 60.000", "ground truth is not JSON"),
        ('{"gt_parse": {"menu": ', "ground truth is not JSON"),
        ("[1]", "ground truth is not an object"),
        ("{}", "no gt_parse"),
        ('{"gt_parse": [{"nm": "a"}]}', "gt_parse is not an object"),
        ('{"gt_parse": {}}', "gt_parse is empty"),
        ('{"gt_parse": {"a": NaN}}', "gt_parse holds a number that is not finite"),
        (deep(30), "gt_parse nested too deeply"),
        (deep(200_000), "ground truth is not JSON"),
        ('{"gt_parse": "nothing"}', "gt_parse is not JSON"),
        ('{"valid_line": [1]}', "line without words"),
    ],
)
def test_a_ground_truth_that_is_none_is_named_with_file_and_row(hub: Path, truth: str, reason: str) -> None:
    row = {"image": {"bytes": images("test")[0].read_bytes()}, "ground_truth": json.dumps(load_truths("test")[0])}
    rows = [row, row, row, {**row, "ground_truth": truth}]
    write_parquet(hub / "data" / "test-00000-of-00001-9c.parquet", rows)
    with pytest.raises(
        DataFileError, match=rf"1 cannot be used \({reason}: 1, first data/test-.*parquet row 3, got .*\)"
    ):
        source(hub).examples("test")
    lenient = source(hub, on_unusable="count")
    assert [example.id for example in lenient.examples("test")] == ["test-0", "test-1", "test-2"]
    assert lenient.unusable == {reason: 1}


def test_what_was_left_out_is_told_once(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "test" / "json" / "receipt_00001.json").write_text("{")
    cord = source(folder, on_unusable="count")
    with caplog.at_level(logging.INFO):
        assert [example.id for example in cord.examples("test")] == ["test-receipt_00000", "test-receipt_00002"]
        cord.examples("test")
    messages = [record.message for record in caplog.records if record.message.startswith("cord:")]
    assert messages == [
        f"cord: 2 receipts of test in {folder}; 1 cannot be used "
        "(ground truth is not JSON: 1, first test/json/receipt_00001.json, got None)"
    ]


def bomb(side: int) -> bytes:
    """A small PNG that says it has so many pixels a side."""
    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(b"\0" * 100)), (b"IEND", b"")]
    parts = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def torn_jpeg(folder: Path) -> bytes:
    path = folder / "whole.jpg"
    with Image.open(images("test")[0]) as image:
        image.convert("RGB").resize((800, 1200)).save(path)
    return path.read_bytes()[:9000]


@pytest.mark.parametrize(
    ("make_bytes", "reason"),
    [
        (lambda folder: images("test")[0].read_bytes()[:2000], "unreadable image"),
        (torn_jpeg, "unreadable image"),
        (lambda folder: b"", "unreadable image"),
        (lambda folder: b"GIF89a" + b"\0" * 40, "unreadable image"),
        (lambda folder: bomb(50_000), "unreadable image"),
        (lambda folder: bomb(9_000), "image of too many pixels"),
    ],
)
def test_an_image_that_cannot_be_decoded_is_named(
    folder: Path, tmp_path: Path, make_bytes: Callable[[Path], bytes], reason: str
) -> None:
    (folder / "test" / "image" / "receipt_00002.png").write_bytes(make_bytes(tmp_path))
    with pytest.raises(DataFileError, match=rf"{reason}: 1, first test/json/receipt_00002\.json"):
        source(folder).examples("test")


def test_an_image_file_that_is_too_large_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cord_source, "MAX_IMAGE_BYTES", 1000)
    with pytest.raises(DataFileError, match=r"3 cannot be used \(image file too large: 3"):
        source(folder).examples("test")


def test_a_missing_image_is_named(folder: Path, hub: Path) -> None:
    (folder / "dev" / "image" / "receipt_00001.png").unlink()
    with pytest.raises(DataFileError, match=r"no image: 1, first dev/json/receipt_00001\.json"):
        source(folder).examples("validation")
    rows = [{"image": None, "ground_truth": json.dumps(truth)} for truth in load_truths("test")]
    rows[0]["image"] = {"bytes": images("test")[0].read_bytes()}
    write_parquet(hub / "data" / "test-00000-of-00001-9c.parquet", rows)
    with pytest.raises(DataFileError, match=r"no image: 2, first data/test.* row 1"):
        source(hub).examples("test")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("{", "line is not JSON"),
        ("[]", "line is not an object"),
        ({"gt_parse": {"a": "1"}}, "no image"),
        ({"image": 5, "gt_parse": {"a": "1"}}, "no image"),
        ({"image": "images/none.png", "gt_parse": {"a": "1"}}, "no image"),
        ({"image": "../secret.png", "gt_parse": {"a": "1"}}, "path leads out of the folder"),
        ({"image": "test.jsonl", "gt_parse": {"a": "1"}}, "unreadable image"),
        ({"image": IMAGE}, "no gt_parse"),
    ],
)
def test_a_line_that_cannot_be_used_is_named_by_its_number(tmp_path: Path, row: Any, reason: str) -> None:
    good = {"image": IMAGE, "gt_parse": {"menu": {"nm": "a"}}}
    write_lines(tmp_path / "lines", [good, "", row])
    with pytest.raises(DataFileError, match=rf"{reason}: 1, first test\.jsonl line 3"):
        source(tmp_path / "lines", **ONE_TEST).examples("test")


def test_a_torn_parquet_file_is_named(hub: Path) -> None:
    path = next((hub / "data").glob("test*.parquet"))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataFileError, match=f"{path.name}: unreadable parquet file"):
        source(hub).examples("test")


def test_a_parquet_file_that_is_broken_inside_is_named_with_its_row(hub: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    path = next((hub / "data").glob("test*.parquet"))
    last = parquet.ParquetFile(path).metadata.row_group(1)
    column = next(last.column(k) for k in range(last.num_columns) if last.column(k).path_in_schema == "ground_truth")
    whole = bytearray(path.read_bytes())
    whole[column.data_page_offset : column.data_page_offset + 40] = b"\xff" * 40
    path.write_bytes(whole)
    with pytest.raises(DataFileError, match=rf"{path.name}: unreadable parquet file beyond \d rows"):
        source(hub).examples("test")


def test_a_parquet_file_of_something_else_is_told_what_was_wanted(hub: Path) -> None:
    write_parquet(hub / "data" / "test-00000-of-00001-9c.parquet", [{"image": None, "label": 3}])
    with pytest.raises(DataFileError, match="expected a column ground_truth or gt_parse, got image, label"):
        source(hub).examples("test")


def test_a_folder_of_something_else_is_told_what_was_wanted(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataFileError, match=r"expected files of the part 'test', .* got files of no part"):
        source(tmp_path / "empty").examples("test")
    shutil.rmtree(folder / "test")
    with pytest.raises(DataFileError, match=r"part 'test'.* got files of train, validation"):
        source(folder).examples("test")
    with pytest.raises(DataFileError, match="expected a folder, or owner/name"):
        source(tmp_path / "no" / "where").examples("test")


def test_a_part_that_lies_there_twice_is_refused(folder: Path) -> None:
    (folder / "test.jsonl").write_text("{}\n")
    with pytest.raises(DataFileError, match=r"the part test in files of one kind, got \.json and \.jsonl"):
        source(folder).examples("test")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"on_unusable": "stopp"}, "expected count or stop, got 'stopp'. Did you mean 'stop'"),
        ({"splits": {"train": {"part": "dev"}}}, "expected part: train or validation or test"),
        ({"splits": {"train": {"share": 1}}}, "expected part: "),
        ({"splits": {"train": {"part": "test"}, "test": {"part": "test"}}}, "another part for each split"),
    ],
)
def test_settings_that_are_none_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        source(FIXTURE, **changes)


def test_a_split_that_is_null_is_left_out() -> None:
    assert source(FIXTURE, splits={**SPLITS, "train": None}).splits() == ("validation", "test")


def test_an_unknown_split_is_named() -> None:
    with pytest.raises(ValueError, match="expected a split of train, validation, test, got 'dev'"):
        source(FIXTURE).examples("dev")


def test_a_receipt_of_300_items_and_of_odd_letters_is_read(tmp_path: Path) -> None:
    parse = {"menu": [{"nm": f'"Kopi"\\ <s_{k}> 😀\n', "price": f"{k},000"} for k in range(300)]}
    text = json.dumps({"image": IMAGE, "gt_parse": parse})
    write_lines(tmp_path / "lines", [text, json.dumps({"image": IMAGE, "gt_parse": {"nm": "\ud83d"}})])
    with max_calls(20_000):
        first, second = source(tmp_path / "lines", **ONE_TEST).examples("test")
    assert json.loads(str(first.facts["answer"])) == parse
    assert second.facts["answer"] == '{"nm":"?"}'
