"""Read handwritten digits: scikit-learn's 1,797 of 8 x 8 pixels, which need no download, and MNIST."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from circuitvlm.core.record import Example
from circuitvlm.data._reading.root import find_files
from circuitvlm.data._reading.source import SplitSource
from circuitvlm.data.digits import files
from circuitvlm.data.digits.pool import Pool, make_examples, pool_of_arrays, read_splits, split_indices


class _DigitSource(SplitSource):
    """A source whose splits take images of its parts; a subclass reads a part."""

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
        self._splits = read_splits(splits, parts=parts)
        self._pools: dict[str, Pool] = {}

    def _read_split(self, split: str) -> Sequence[Example]:
        """The examples of a split; only its part is read, on the first call.

        Raises ValueError if the part has too few images, and what reading the part raises.
        """
        part = self._splits[split].part
        if part not in self._pools:
            self._pools[part] = self._read_part(part)
        pool = self._pools[part]
        indices = split_indices(split, splits=self._splits, size=len(pool.labels), seed=self.seed, begin=self.begin)
        return make_examples(pool, indices, part=part)

    @abstractmethod
    def _read_part(self, part: str) -> Pool: ...


class Digits(_DigitSource):
    """scikit-learn's digits, white on black: the test set of the UCI's "Optical Recognition of Handwritten Digits".

    The images form a circle, in an order that `seed` decides, or in that of their file if it is null. From number
    `begin` on, each of `splits` takes the next images, in the order of the configuration: its `count`, or all remaining
    ones; its `part` is "all". Test sets of n images with `begin` 0, n, 2 n .. are folds without a common image. The 17
    grey levels are spread over 0 to 255. The images are written below `cache`.

    Facts: `kind` (digit) and `label`, a number. Tags: kind, label. An id names the image, whatever split it is in.
    """

    def __init__(
        self, *, splits: Mapping[str, Mapping[str, object] | None], seed: int | None, begin: int, cache: str
    ) -> None:
        super().__init__(splits=splits, parts=("all",), seed=seed, begin=begin, cache=cache)

    def _read_part(self, part: str) -> Pool:
        digits = load_digits()
        return pool_of_arrays(
            np.rint(digits.images * (255 / 16)).astype(np.uint8), digits.target.tolist(), cache=self.cache
        )


class Mnist(_DigitSource):
    """MNIST, or another data set in its format: white digits on black.

    `root` is a folder with IDX files ({train,t10k}-{images-idx3,labels-idx1}-ubyte, gzipped or not, also in a
    subfolder) or parquet files (a column `image` of PNG files, a column `label`). Or it is owner/name of the latter on
    the hub, which are downloaded into `cache` at `revision`. Each of `splits` has the `part` that its images are from,
    train or test, and a count as in Digits; a part that no split is read from may be missing.

    Facts and tags are those of Digits. Raises DataFileError for incomplete files, hub.FetchError.
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

    def _read_part(self, part: str) -> Pool:
        folder, paths = find_files(
            self.root,
            source="digits",
            revision=self.revision,
            cache=self.cache,
            select=lambda paths: [p for p in paths if p.endswith(".parquet") and files.part_of(p) in files.PARTS],
        )
        return files.read_part(folder, paths, part=part, cache=self.cache)
