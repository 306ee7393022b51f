"""Which samples, in which order, on which rank?

Everything is a function of (seed, position): nothing is stored, so a run goes on wherever it stopped, and the samples
of an accumulation window do not depend on how many ranks or micro-batches share it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from torch.utils.data import Sampler


class WindowSampler(Sampler[list[int]]):
    """Micro-batches of an endless stream of shuffled epochs, cut into windows of `global_batch` samples.

    Window w holds stream positions w * global_batch and on; rank r of `world` takes every world-th of them, in
    micro-batches. Yields the windows from `start` (settable, for a resumed run) to `windows`; its length is that of the
    whole run.
    """

    def __init__(
        self, size: int, *, seed: int, windows: int, global_batch: int, micro_batch: int, rank: int, world: int
    ) -> None:
        if size == 0:
            raise ValueError("there is no training example; is data's train split empty?")
        if global_batch % (micro_batch * world):
            raise ValueError(
                f"global_batch={global_batch} is not a multiple of micro_batch={micro_batch} x {world} processes; "
                f"the nearest is {max(1, round(global_batch / (micro_batch * world))) * micro_batch * world}"
            )
        self.size = size
        self.seed = seed
        self.windows = windows
        self.global_batch = global_batch
        self.micro_batch = micro_batch
        self.rank = rank
        self.world = world
        self.start = 0

    @property
    def accumulation(self) -> int:
        """Micro-batches of one rank in one window."""
        return self.global_batch // (self.micro_batch * self.world)

    def __len__(self) -> int:
        return self.windows * self.accumulation

    def __iter__(self) -> Iterator[list[int]]:
        for window in range(self.start, self.windows):
            first = window * self.global_batch
            mine = [self._sample(p) for p in range(first + self.rank, first + self.global_batch, self.world)]
            for at in range(0, len(mine), self.micro_batch):
                yield mine[at : at + self.micro_batch]

    def _sample(self, position: int) -> int:
        epoch, place = divmod(position, self.size)
        return int(_permutation(self.size, self.seed, epoch)[place])


class OnceSampler(Sampler[list[int]]):
    """Every sample once over all ranks, in order, in batches.

    All ranks give the same number of batches, since a collective in one must meet the others: a rank that has none left
    repeats sample 0, whose second reply is dropped by its id.
    """

    def __init__(self, size: int, *, batch: int, rank: int, world: int) -> None:
        self.size = size
        self.batch = batch
        self.rank = rank
        self.world = world

    def __len__(self) -> int:
        return -(-self.size // (self.batch * self.world))

    def __iter__(self) -> Iterator[list[int]]:
        mine = list(range(self.rank, self.size, self.world))
        for index in range(len(self)):
            yield mine[index * self.batch : (index + 1) * self.batch] or [0]


@lru_cache(maxsize=2)
def _permutation(size: int, seed: int, epoch: int) -> np.ndarray:
    return np.random.default_rng(np.random.SeedSequence([seed, epoch])).permutation(size)
