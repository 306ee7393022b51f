"""Are digits read whole from every form they come in, dealt without overlap, and is each fault told by its name?"""

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
from circuitvlm.data.digits.pool import dealt, splits_of
from tests.fixtures.digits.make import idx as written

FIXTURE = Path(__file__).parents[1] / "fixtures" / "digits"
ALL = {"train": {"part": "train"}, "test": {"part": "test"}}


def mnist(root: Path | str, cache: Path, **changes: Any) -> Mnist:
    usual: dict[str, Any] = {"revision": "main", "splits": ALL, "seed": 0, "begin": 0, "cache": str(cache)}
    return Mnist(root=str(root), **{**usual, **changes})


def embedded(cache: Path, **changes: Any) -> Digits:
    splits = {"test": {"part": "all", "count": 597}, "train": {"part": "all"}}
    return Digits(cache=str(cache), **{"splits": splits, "seed": 0, "begin": 0, **changes})


def pixels(example: Any) -> np.ndarray:
    return np.asarray(example.images[0].open())


# ------------------------------------------------------------------------------------------------------------ the forms


def test_the_embedded_digits_are_scikit_learns_own_and_all_of_them(tmp_path: Path) -> None:
    held = load_digits()
    source = embedded(tmp_path)
    found = {e.id: e for split in source.splits() for e in source.examples(split)}
    assert len(found) == 1797
    assert sorted(found) == [f"all-{k:05d}" for k in range(1797)]
    for k in range(0, 1797, 60):
        example = found[f"all-{k:05d}"]
        assert example.facts["label"] == held.target[k]
        assert example.tags["label"] == str(held.target[k])
        shown = pixels(example)
        assert shown.shape == (8, 8, 3)
        assert np.array_equal(np.rint(shown[..., 0].astype(float) * 16 / 255), held.images[k])


def test_mnist_is_read_from_plain_and_gzipped_idx(tmp_path: Path) -> None:
    source = mnist(FIXTURE, tmp_path)
    raw = gzip.decompress((FIXTURE / "train-images-idx3-ubyte.gz").read_bytes())[16:]
    wanted = np.frombuffer(raw, dtype=np.uint8).reshape(130, 28, 28)
    for example in source.examples("train"):
        assert np.array_equal(pixels(example)[..., 0], wanted[int(example.id.rpartition("-")[2])])
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
    images, labels = idx.labelled(FIXTURE / "t10k-images-idx3-ubyte", FIXTURE / "t10k-labels-idx1-ubyte")
    parquet(tmp_path / "hub/mnist/test-00000-of-00002.parquet", images[:12], labels[:12].tolist())
    parquet(tmp_path / "hub/mnist/test-00001-of-00002.parquet", images[12:], labels[12:].tolist())
    of_parquet = mnist(tmp_path / "hub", tmp_path / "a").examples("test")
    of_idx = mnist(FIXTURE, tmp_path / "b").examples("test")
    assert [(e.id, e.facts) for e in of_parquet] == [(e.id, e.facts) for e in of_idx]
    assert all(np.array_equal(pixels(one), pixels(other)) for one, other in zip(of_parquet, of_idx, strict=True))


def test_a_part_that_is_not_asked_for_need_not_be_there(tmp_path: Path) -> None:
    for name in ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"):
        (tmp_path / "MNIST" / "raw").mkdir(parents=True, exist_ok=True)
        (tmp_path / "MNIST" / "raw" / name).write_bytes((FIXTURE / name).read_bytes())
    source = mnist(tmp_path, tmp_path / "cache")
    assert len(source.examples("test")) == 64
    with pytest.raises(DataFileError, match=r"no part 'train', there are: test; wanted .*train-images-idx3-ubyte"):
        source.examples("train")


def test_examples_travel_to_a_loaders_worker(tmp_path: Path) -> None:
    for source in (mnist(FIXTURE, tmp_path), embedded(tmp_path)):
        there = pickle.loads(pickle.dumps(source.examples("test")))
        assert there[3] == source.examples("test")[3]


# ---------------------------------------------------------------------------------------------------------- the dealing


@given(
    counts=st.lists(st.integers(1, 30), min_size=1, max_size=5),
    rest=st.booleans(),
    seed=st.integers(0, 9),
    begin=st.integers(0, 400),
)
@settings(max_examples=60, deadline=None)
def test_splits_never_share_an_image_and_take_what_they_state(
    counts: list[int], rest: bool, seed: int, begin: int
) -> None:
    stated: dict[str, Any] = {f"s{k}": {"part": "all", "count": count} for k, count in enumerate(counts)}
    stated |= {"rest": {"part": "all"}} if rest else {}
    splits = splits_of(stated, parts=("all",))
    taken = [dealt(name, splits=splits, size=200, seed=seed, begin=begin) for name in splits]
    assert [len(places) for places in taken] == counts + ([200 - sum(counts)] if rest else [])
    together = [place for places in taken for place in places]
    assert len(set(together)) == len(together)
    assert set(together) <= set(range(200))


def test_another_count_of_a_later_split_moves_no_earlier_one_and_another_seed_moves_all(tmp_path: Path) -> None:
    def ids(count: int, seed: int | None) -> list[str]:
        splits = {"test": {"part": "all", "count": 50}, "train": {"part": "all", "count": count}}
        return [e.id for e in embedded(tmp_path, splits=splits, seed=seed).examples("test")]

    assert ids(10, 0) == ids(700, 0)
    assert len(set(ids(10, 0)) & set(ids(10, 1))) < 10
    assert ids(10, None) == [f"all-{k:05d}" for k in range(len(ids(10, None)))], "as the file has them"
    assert ids(10, 0)[:3] == ["all-00429", "all-00341", "all-00468"], "the order is one of the seed alone, for ever"


def test_tests_that_begin_one_behind_the_other_share_no_image(tmp_path: Path) -> None:
    folds = [{e.id for e in embedded(tmp_path, begin=597 * k).examples("test")} for k in range(3)]
    assert [len(fold) for fold in folds] == 3 * [597]
    assert len(set.union(*folds)) == 3 * 597
    train = {e.id for e in embedded(tmp_path, begin=1194).examples("train")}
    assert len(train) == 1200
    assert not train & folds[2]


@pytest.mark.parametrize(
    ("splits", "said"),
    [
        ({"train": {"part": "al"}}, "Did you mean 'all'"),
        ({"train": {"part": "all", "number": 3}}, "wanted its part"),
        ({"train": {"part": "all", "count": 0}}, "count 0"),
        ({"train": {"part": "all"}, "test": {"part": "all", "count": 3}}, "'test' comes after 'train'"),
    ],
)
def test_splits_that_cannot_be_are_told(splits: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=said):
        embedded(tmp_path, splits=splits)


def test_too_few_images_and_unknown_splits_are_told(tmp_path: Path) -> None:
    splits = {"a": {"part": "train", "count": 120}, "b": {"part": "train", "count": 11}, "c": None}
    source = mnist(FIXTURE, tmp_path, splits=splits)
    assert source.splits() == ("a", "b")
    assert len(source.examples("a")) == 120
    with pytest.raises(ValueError, match=r"'b' wants 11 .* has 130 images.* take 120"):
        source.examples("b")
    with pytest.raises(ValueError, match="no split 'c'; there are a, b"):
        source.examples("c")


# ----------------------------------------------------------------------------------------------------------- the faults

GOOD = written(np.arange(2 * 3 * 4).reshape(2, 3, 4))
HEADER = GOOD[:16]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    for raw in (GOOD, gzip.compress(GOOD)):
        (tmp_path / "x").write_bytes(raw)
        assert np.array_equal(idx.read(tmp_path / "x", axes=3), np.arange(24).reshape(2, 3, 4))


def header(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(4, "big") for number in numbers)


FAULTS = {
    "no bytes": (b"", "ends after 0 bytes; wanted a header of 16"),
    "half a header": (GOOD[:10], "ends after 10 bytes"),
    "labels": (header(2049, 24) + GOOD[16:], r"2049, which are labels; wanted 2051, images"),
    "little-endian": (HEADER[3::-1] + GOOD[4:], "begins with the number 50855936; wanted 2051"),
    "text": (b"<html><head><title>404", "begins with the number 1013478509"),
    "cut short": (GOOD[:-1], "ends after 23 bytes of data.*2 x 3 x 4 = 24 bytes: it is cut short"),
    "trailing bytes": (GOOD + b"\0", "goes on after its data"),
    "no images": (header(2051, 0, 3, 4), "0 x 3 x 4; wanted 1 to 10,000,000 items"),
    "a thread": (header(2051, 2, 1, 4), "sides of 2 to 1,024 pixels"),
    "a giant": (header(2051, 2**32 - 1, 2**32 - 1, 2**32 - 1), "4294967295 x"),
    "a giant of small ones": (header(2051, 9_000_000, 1000, 1000), "at most 1,000,000,000 bytes"),
}


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzipped"])
@pytest.mark.parametrize(("raw", "said"), FAULTS.values(), ids=FAULTS)
def test_a_faulty_file_is_told_by_its_name_and_fault(raw: bytes, said: str, packed: bool, tmp_path: Path) -> None:
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(gzip.compress(raw) if packed else raw)
    with pytest.raises(DataFileError, match=said) as caught:
        idx.read(path, axes=3)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("cut", [1, 4, 9, 20])
def test_a_gzip_file_that_is_cut_or_spoilt_is_told(cut: int, tmp_path: Path) -> None:
    whole = gzip.compress(written(np.random.default_rng(0).integers(0, 256, (50, 8, 8))))
    spoilt = bytearray(whole)
    spoilt[len(whole) // 2] ^= 0xFF
    for raw in (whole[:-cut], whole + b"more", bytes(spoilt)):
        (tmp_path / "x").write_bytes(raw)
        with pytest.raises(DataFileError, match=r"x: (cannot be read to its end|ends after|goes on after)"):
            idx.read(tmp_path / "x", axes=3)


@given(raw=st.binary(max_size=60), packed=st.booleans(), axes=st.sampled_from([1, 3]))
@settings(max_examples=200, deadline=None)
def test_whatever_bytes_there_are_a_fault_is_a_data_file_error(
    raw: bytes, packed: bool, axes: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(gzip.compress(raw) if packed else raw)
    try:
        found = idx.read(path, axes=axes)
    except DataFileError:
        return
    assert raw[4 * (1 + axes) :] == found.tobytes()


def folder(home: Path, images: bytes, labels: bytes | None) -> Path:
    (home / "train-images-idx3-ubyte").write_bytes(images)
    if labels is not None:
        (home / "train-labels-idx1-ubyte").write_bytes(labels)
    return home


def test_labels_that_do_not_fit_their_images_are_told(tmp_path: Path) -> None:
    for labels, said in (
        (written(np.array([1, 2, 3])), "has 2 images, but .*train-labels-idx1-ubyte has 3 labels"),
        (written(np.array([1, 10])), "label 1 is 10; wanted 0 to 9"),
        (GOOD, "2051, which are images; wanted 2049, labels"),
    ):
        with pytest.raises(DataFileError, match=said):
            mnist(folder(tmp_path, GOOD, labels), tmp_path / "cache").examples("train")
    (tmp_path / "train-labels-idx1-ubyte").unlink()
    with pytest.raises(DataFileError, match="train-images-idx3-ubyte, but no file of labels"):
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
    for labels, said in (([3, 11] * 20, "label 1 is 11"), ([3, None] * 20, "label 1 is None"), (["3"] * 40, "is '3'")):
        parquet(path, images, labels)
        with pytest.raises(DataFileError, match=said):
            mnist(tmp_path, tmp_path / "cache").examples("train")
    pq.write_table(pa.table({"image": [{"bytes": b"no png"}] * 3, "label": [1, 2, 3]}), path)
    with pytest.raises(DataFileError, match=r"\.png: unreadable image"):
        list(mnist(tmp_path, tmp_path / "cache").examples("train"))
    pq.write_table(pa.table({"image": [{"bytes": None}] * 3, "label": [1, 2, 3]}), path)
    with pytest.raises(DataFileError, match="row 0 has no image"):
        mnist(tmp_path, tmp_path / "cache").examples("train")
    pq.write_table(pa.table({"picture": [1], "digit": [1]}), path)
    with pytest.raises(DataFileError, match="wanted columns image and label, there are picture, digit"):
        mnist(tmp_path, tmp_path / "cache").examples("train")


def test_a_root_that_is_nothing_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="wanted a folder, or owner/name"):
        mnist(tmp_path / "nowhere", tmp_path).examples("test")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataFileError, match="there are: none"):
        mnist(tmp_path / "empty", tmp_path).examples("test")
