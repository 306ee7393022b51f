"""Test that digits are read from every format, that splits do not overlap, and that errors name the fault."""

from __future__ import annotations

import gzip
import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.datasets import load_digits

from circuitvlm.data._reading.files import DataFileError
from circuitvlm.data.digits import Digits, Mnist, idx
from circuitvlm.data.digits.pool import read_splits, split_indices
from tests.fixtures.digits.make import idx as written

FIXTURE = Path(__file__).parents[1] / "fixtures" / "digits"
ALL_SPLITS = {"train": {"part": "train"}, "test": {"part": "test"}}


def mnist(root: Path | str, cache: Path, **changes: Any) -> Mnist:
    usual: dict[str, Any] = {"revision": "main", "splits": ALL_SPLITS, "seed": 0, "begin": 0, "cache": str(cache)}
    return Mnist(root=str(root), **{**usual, **changes})


def digits(cache: Path, **changes: Any) -> Digits:
    splits = {"test": {"part": "all", "count": 597}, "train": {"part": "all"}}
    return Digits(cache=str(cache), **{"splits": splits, "seed": 0, "begin": 0, **changes})


def pixels(example: Any) -> np.ndarray:
    return np.asarray(example.images[0].open())


# ------------------------------------------------------------------------------------------------------------ the forms


def test_the_embedded_digits_are_scikit_learns_own_and_all_of_them(tmp_path: Path) -> None:
    dataset = load_digits()
    source = digits(tmp_path)
    examples = {e.id: e for split in source.splits() for e in source.examples(split)}
    assert len(examples) == 1797
    assert sorted(examples) == [f"all-{k:05d}" for k in range(1797)]
    for k in range(0, 1797, 60):
        example = examples[f"all-{k:05d}"]
        assert example.facts["label"] == dataset.target[k]
        assert example.tags["label"] == str(dataset.target[k])
        image = pixels(example)
        assert image.shape == (8, 8, 3)
        assert np.array_equal(np.rint(image[..., 0].astype(float) * 16 / 255), dataset.images[k])


def test_mnist_is_read_from_plain_and_gzipped_idx(tmp_path: Path) -> None:
    source = mnist(FIXTURE, tmp_path)
    raw = gzip.decompress((FIXTURE / "train-images-idx3-ubyte.gz").read_bytes())[16:]
    expected_images = np.frombuffer(raw, dtype=np.uint8).reshape(130, 28, 28)
    for example in source.examples("train"):
        assert np.array_equal(pixels(example)[..., 0], expected_images[int(example.id.rpartition("-")[2])])
    raw = (FIXTURE / "t10k-labels-idx1-ubyte").read_bytes()[8:]
    assert {e.id: e.facts["label"] for e in source.examples("test")} == {f"test-{k:05d}": n for k, n in enumerate(raw)}


def parquet(path: Path, images: np.ndarray, labels: Any) -> None:
    """As ylecun/mnist: a struct of PNG bytes and a path, and a label."""
    rows = []
    for image in images:
        png = io.BytesIO()
        Image.fromarray(image).save(png, format="PNG")
        rows.append({"bytes": png.getvalue(), "path": None})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"image": rows, "label": labels}), path)


def test_parquet_files_hold_the_same_digits(tmp_path: Path) -> None:
    images, labels = idx.read_pair(FIXTURE / "t10k-images-idx3-ubyte", FIXTURE / "t10k-labels-idx1-ubyte")
    parquet(tmp_path / "hub/mnist/test-00000-of-00002.parquet", images[:12], labels[:12].tolist())
    parquet(tmp_path / "hub/mnist/test-00001-of-00002.parquet", images[12:], labels[12:].tolist())
    of_parquet = mnist(tmp_path / "hub", tmp_path / "a").examples("test")
    of_idx = mnist(FIXTURE, tmp_path / "b").examples("test")
    assert [(e.id, e.facts) for e in of_parquet] == [(e.id, e.facts) for e in of_idx]
    assert all(np.array_equal(pixels(a), pixels(b)) for a, b in zip(of_parquet, of_idx, strict=True))


def test_a_part_that_is_not_asked_for_need_not_be_there(tmp_path: Path) -> None:
    for name in ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"):
        (tmp_path / "MNIST" / "raw").mkdir(parents=True, exist_ok=True)
        (tmp_path / "MNIST" / "raw" / name).write_bytes((FIXTURE / name).read_bytes())
    source = mnist(tmp_path, tmp_path / "cache")
    assert len(source.examples("test")) == 64
    with pytest.raises(DataFileError, match=r"of the part 'train', .*train-images-idx3-ubyte.* got files of test"):
        source.examples("train")


def test_examples_travel_to_a_loaders_worker(tmp_path: Path) -> None:
    for source in (mnist(FIXTURE, tmp_path), digits(tmp_path)):
        there = pickle.loads(pickle.dumps(source.examples("test")))
        assert there[3] == source.examples("test")[3]


# ---------------------------------------------------------------------------------------------------------- the dealing


@given(
    counts=st.lists(st.integers(1, 30), min_size=1, max_size=5),
    with_rest=st.booleans(),
    seed=st.integers(0, 9),
    begin=st.integers(0, 400),
)
@settings(max_examples=60, deadline=None)
def test_splits_never_share_an_image_and_take_what_they_state(
    counts: list[int], with_rest: bool, seed: int, begin: int
) -> None:
    settings_by_split: dict[str, Any] = {f"s{k}": {"part": "all", "count": count} for k, count in enumerate(counts)}
    settings_by_split |= {"rest": {"part": "all"}} if with_rest else {}
    splits = read_splits(settings_by_split, parts=("all",))
    indices = [split_indices(name, splits=splits, size=200, seed=seed, begin=begin) for name in splits]
    assert [len(split) for split in indices] == counts + ([200 - sum(counts)] if with_rest else [])
    together = [index for split in indices for index in split]
    assert len(set(together)) == len(together)
    assert set(together) <= set(range(200))


def test_another_count_of_a_later_split_moves_no_earlier_one_and_another_seed_moves_all(tmp_path: Path) -> None:
    def ids(count: int, seed: int | None) -> list[str]:
        splits = {"test": {"part": "all", "count": 50}, "train": {"part": "all", "count": count}}
        return [e.id for e in digits(tmp_path, splits=splits, seed=seed).examples("test")]

    assert ids(10, 0) == ids(700, 0)
    assert len(set(ids(10, 0)) & set(ids(10, 1))) < 10
    assert ids(10, None) == [f"all-{k:05d}" for k in range(len(ids(10, None)))], "as the file has them"
    assert ids(10, 0)[:3] == ["all-00429", "all-00341", "all-00468"], "the order is one of the seed alone, for ever"


def test_tests_that_begin_one_behind_the_other_share_no_image(tmp_path: Path) -> None:
    folds = [{e.id for e in digits(tmp_path, begin=597 * k).examples("test")} for k in range(3)]
    assert [len(fold) for fold in folds] == 3 * [597]
    assert len(set.union(*folds)) == 3 * 597
    train = {e.id for e in digits(tmp_path, begin=1194).examples("train")}
    assert len(train) == 1200
    assert not train & folds[2]


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ({"train": {"part": "al"}}, "Did you mean 'all'"),
        ({"train": {"part": "all", "number": 3}}, "expected part: all"),
        ({"train": {"part": "all", "count": 0}}, "count: expected 1 or more, got 0"),
        (
            {"train": {"part": "all"}, "test": {"part": "all", "count": 3}},
            "expected no split of all after",
        ),
    ],
)
def test_splits_that_cannot_be_are_told(splits: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        digits(tmp_path, splits=splits)


def test_too_few_images_and_unknown_splits_are_told(tmp_path: Path) -> None:
    splits = {"a": {"part": "train", "count": 120}, "b": {"part": "train", "count": 11}, "c": None}
    source = mnist(FIXTURE, tmp_path, splits=splits)
    assert source.splits() == ("a", "b")
    assert len(source.examples("a")) == 120
    with pytest.raises(ValueError, match=r"splits\.b: expected at least 11 .* got 10: it has 130, .* take 120"):
        source.examples("b")
    with pytest.raises(ValueError, match="expected a split of a, b, got 'c'"):
        source.examples("c")


# ----------------------------------------------------------------------------------------------------------- the faults

GOOD = written(np.arange(2 * 3 * 4).reshape(2, 3, 4))
HEADER = GOOD[:16]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    for raw in (GOOD, gzip.compress(GOOD)):
        (tmp_path / "x").write_bytes(raw)
        assert np.array_equal(idx.read_array(tmp_path / "x", axes=3), np.arange(24).reshape(2, 3, 4))


def header(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(4, "big") for number in numbers)


FAULTS = {
    "no bytes": (b"", "expected a header of 16 bytes, got 0"),
    "half a header": (GOOD[:10], "expected a header of 16 bytes, got 10"),
    "labels": (header(2049, 24) + GOOD[16:], r"magic number 2051 \(images\), got 2049 \(labels\)"),
    "little-endian": (HEADER[3::-1] + GOOD[4:], "got 50855936"),
    "text": (b"<html><head><title>404", "got 1013478509"),
    "cut short": (GOOD[:-1], "expected 2 x 3 x 4 = 24 bytes of data after the header, got 23"),
    "trailing bytes": (GOOD + b"\0", "24 bytes of data after the header, got more"),
    "no images": (header(2051, 0, 3, 4), "a shape of 1 to 10,000,000 items.* got 0 x 3 x 4"),
    "a thread": (header(2051, 2, 1, 4), "sides of 2 to 1,024 pixels"),
    "a giant": (header(2051, 2**32 - 1, 2**32 - 1, 2**32 - 1), "4294967295 x"),
    "a giant of small ones": (header(2051, 9_000_000, 1000, 1000), "at most 1,000,000,000 bytes"),
}


@pytest.mark.parametrize("is_gzip", [False, True], ids=["plain", "gzipped"])
@pytest.mark.parametrize(("raw", "message"), FAULTS.values(), ids=FAULTS)
def test_a_faulty_file_is_told_by_its_name_and_fault(raw: bytes, message: str, is_gzip: bool, tmp_path: Path) -> None:
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(gzip.compress(raw) if is_gzip else raw)
    with pytest.raises(DataFileError, match=message) as error_info:
        idx.read_array(path, axes=3)
    assert str(path) in str(error_info.value)


@pytest.mark.parametrize("cut", [1, 4, 9, 20])
def test_a_gzip_file_that_is_cut_or_spoilt_is_told(cut: int, tmp_path: Path) -> None:
    whole = gzip.compress(written(np.random.default_rng(0).integers(0, 256, (50, 8, 8))))
    spoilt = bytearray(whole)
    spoilt[len(whole) // 2] ^= 0xFF
    for raw in (whole[:-cut], whole + b"more", bytes(spoilt)):
        (tmp_path / "x").write_bytes(raw)
        with pytest.raises(DataFileError, match=r"x: expected (a complete file|a header|50 x 8 x 8)"):
            idx.read_array(tmp_path / "x", axes=3)


@given(raw=st.binary(max_size=60), is_gzip=st.booleans(), axes=st.sampled_from([1, 3]))
@settings(max_examples=200, deadline=None)
def test_whatever_bytes_there_are_a_fault_is_a_data_file_error(
    raw: bytes, is_gzip: bool, axes: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(gzip.compress(raw) if is_gzip else raw)
    try:
        array = idx.read_array(path, axes=axes)
    except DataFileError:
        return
    assert raw[4 * (1 + axes) :] == array.tobytes()


def folder(home: Path, images: bytes, labels: bytes | None) -> Path:
    (home / "train-images-idx3-ubyte").write_bytes(images)
    if labels is not None:
        (home / "train-labels-idx1-ubyte").write_bytes(labels)
    return home


def test_labels_that_do_not_fit_their_images_are_told(tmp_path: Path) -> None:
    for labels, message in (
        (written(np.array([1, 2, 3])), "train-labels-idx1-ubyte: expected 2 labels, .* got 3"),
        (written(np.array([1, 10])), "label 1: expected 0 to 9, got 10"),
        (GOOD, r"magic number 2049 \(labels\), got 2051 \(images\)"),
    ):
        with pytest.raises(DataFileError, match=message):
            mnist(folder(tmp_path, GOOD, labels), tmp_path / "cache").examples("train")
    (tmp_path / "train-labels-idx1-ubyte").unlink()
    with pytest.raises(DataFileError, match="got train-images-idx3-ubyte without a file of labels"):
        mnist(tmp_path, tmp_path / "cache").examples("train")


def test_faulty_parquet_is_told(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 28, 28), dtype=np.uint8)
    path = tmp_path / "train-00000-of-00001.parquet"
    parquet(path, images, [3] * 40)
    whole = path.read_bytes()
    spoilt = bytearray(whole)
    spoilt[200:20_000] = b"\0" * 19_800
    for raw in (whole[:5000], whole[-5000:], b"", bytes(spoilt)):
        path.write_bytes(raw)
        with pytest.raises(DataFileError, match=r"train-00000-of-00001\.parquet"):
            [picture.open() for e in mnist(tmp_path, tmp_path / "cache").examples("train") for picture in e.images]
    for labels, message in (
        ([3, 11] * 20, "label 1: expected 0 to 9, got 11"),
        ([3, None] * 20, "got None"),
        (["3"] * 40, "got '3'"),
    ):
        parquet(path, images, labels)
        with pytest.raises(DataFileError, match=message):
            mnist(tmp_path, tmp_path / "cache").examples("train")
    pq.write_table(pa.table({"image": [{"bytes": b"no png"}] * 3, "label": [1, 2, 3]}), path)
    with pytest.raises(DataFileError, match=r"\.png: unreadable image"):
        list(mnist(tmp_path, tmp_path / "cache").examples("train"))
    pq.write_table(pa.table({"image": [{"bytes": None}] * 3, "label": [1, 2, 3]}), path)
    with pytest.raises(DataFileError, match="got row 0 without an image"):
        mnist(tmp_path, tmp_path / "cache").examples("train")
    pq.write_table(pa.table({"picture": [1], "digit": [1]}), path)
    with pytest.raises(DataFileError, match="expected columns image and label, got picture, digit"):
        mnist(tmp_path, tmp_path / "cache").examples("train")


def test_a_root_that_is_nothing_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="expected a folder, or owner/name"):
        mnist(tmp_path / "nowhere", tmp_path).examples("test")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataFileError, match="got files of no part"):
        mnist(tmp_path / "empty", tmp_path).examples("test")
