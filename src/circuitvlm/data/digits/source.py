"""Where from? Handwritten digits: scikit-learn's 1,797 of 8 x 8 pixels, which need no download, and MNIST."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from circuitvlm.core.record import Example
from circuitvlm.data._reading.files import DataFileError, walk
from circuitvlm.data.digits import files
from circuitvlm.data.digits.pool import Dealt, Pool, dealt, drawn, splits_of
from circuitvlm.runtime import hub

ALL = "all"
"""The one part of scikit-learn's digits."""


class _Dealing(ABC):
    """What both sources share: splits that take images of a part."""

    def __init__(
        self,
        *,
        splits: Mapping[str, Mapping[str, object] | None],
        parts: Sequence[str],
        seed: int | None,
        begin: int,
        cache: str,
    ) -> None:
        self.seed, self.begin = seed, begin
        self.cache = Path(cache).expanduser()
        self._splits = splits_of(splits, parts=parts)
        self._pools: dict[str, Pool] = {}

    def splits(self) -> tuple[str, ...]:
        """The names of the splits, in the order of the configuration."""
        return tuple(self._splits)

    def examples(self, split: str) -> Sequence[Example]:
        """The examples of a split; its part alone is read, on the first call.

        Raises ValueError where the part has too few images.
        """
        if split not in self._splits:
            raise ValueError(f"digits: no split {split!r}; there are {', '.join(self._splits)}")
        part = self._splits[split].part
        if part not in self._pools:
            self._pools[part] = self._read(part)
        pool = self._pools[part]
        places = dealt(split, splits=self._splits, size=len(pool.labels), seed=self.seed, begin=self.begin)
        return Dealt(pool, places, part=part)

    @abstractmethod
    def _read(self, part: str) -> Pool: ...


class Digits(_Dealing):
    """scikit-learn's digits, white on black: the test set of the UCI's "Optical Recognition of Handwritten Digits".

    They stand in a circle whose order `seed` gives, or with null that of their file, and each of `splits` takes the
    next of them from number `begin` on, in the order in which the splits are stated: its `count`, or all that are left;
    its `part` is "all". A test of n images begins at 0, n, 2 n .. for folds that share none. Their 17 greys are spread
    over 0 to 255. `cache` is where their images are written.

    Facts: `kind` (digit) and `label`, a number. Tags: kind, label. An id names the image, whatever split it is in.
    """

    def __init__(
        self, *, splits: Mapping[str, Mapping[str, object] | None], seed: int | None, begin: int, cache: str
    ) -> None:
        super().__init__(splits=splits, parts=(ALL,), seed=seed, begin=begin, cache=cache)

    def _read(self, part: str) -> Pool:
        held = load_digits()
        return drawn(np.rint(held.images * (255 / 16)).astype(np.uint8), held.target.tolist(), cache=self.cache)


class Mnist(_Dealing):
    """MNIST, or what has its form: white digits on black.

    `root` is a folder with IDX files ({train,t10k}-{images-idx3,labels-idx1}-ubyte, gzipped or not, also in a folder
    below) or parquet files (a column `image` of PNG files, a column `label`), or owner/name of the latter on the hub,
    which are downloaded into `cache` at `revision`. Each of `splits` states the `part` that it takes images of, train
    or test, and how many, as in Digits; a part that no split is asked for need not be there.

    Facts and tags as in Digits. Raises DataFileError for files that are not whole, hub.FetchError.
    """

    def __init__(
        self,
        *,
        root: str,
        revision: str,
        splits: Mapping[str, Mapping[str, object] | None],
        seed: int | None,
        begin: int,
        cache: str,
    ) -> None:
        super().__init__(splits=splits, parts=files.PARTS, seed=seed, begin=begin, cache=cache)
        self.root, self.revision = root, revision

    def _read(self, part: str) -> Pool:
        folder = Path(self.root).expanduser()
        if folder.is_dir():
            there: Sequence[str] = [file for file in walk(folder) if files.is_used(file)]
        elif hub.is_name(self.root):
            snapshot = hub.dataset(self.root, revision=self.revision, cache=self.cache / "hub", wanted=_wanted)
            folder, there = snapshot.folder, snapshot.files
        else:
            raise DataFileError(f"digits: root is {self.root!r}; wanted a folder, or owner/name of the hub")
        return files.read(folder, there, part=part, cache=self.cache)


def _wanted(names: Sequence[str]) -> list[str]:
    """Which files of the hub are needed."""
    return [name for name in names if name.endswith(".parquet") and files.is_used(name)]
