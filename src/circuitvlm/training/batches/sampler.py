"""Which samples, in which order, on which rank?

Everything is a function of (seed, position): nothing is stored, so a run goes on wherever it stopped, and the samples
of an accumulation window do not depend on how many ranks or micro-batches share it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise

import numpy as np
from torch.utils.data import Sampler

Stream = Callable[[int], int]
"""Position in an endless run -> the sample that stands there."""

BLOCK = 1000
"""Positions over which the shares of a mixture are kept exactly."""


@dataclass(frozen=True, slots=True)
class Shuffled:
    """Epochs, each shuffled by itself, of `size` samples."""

    size: int
    seed: int

    def __post_init__(self) -> None:
        if self.size == 0:
            raise ValueError("there is no training example; is data's train split empty?")

    def __call__(self, position: int) -> int:
        epoch, place = divmod(position, self.size)
        return int(_permutation(self.size, self.seed, epoch)[place])


@dataclass(frozen=True, slots=True)
class Mixed:
    """Several parts, each a list of samples, drawn by their shares: every part has epochs of its own.

    `shares` are relative. Of each thousand positions a part has its share, rounded to whole samples, in shuffled order.
    """

    parts: Sequence[Sequence[int]]
    shares: Sequence[float]
    seed: int

    def __post_init__(self) -> None:
        counts = _counts(tuple(self.shares))
        for part, share, count in zip(self.parts, self.shares, counts, strict=True):
            if share and not (part and count):
                raise ValueError(
                    f"a part of the mixture has {len(part)} examples and the share {share:g} of {list(self.shares)}: "
                    f"it needs an example, and at least one sample in {BLOCK}"
                )

    def __call__(self, position: int) -> int:
        block, place = divmod(position, BLOCK)
        counts = _counts(tuple(self.shares))
        part, among = _dealt(counts, self.seed, block)[place]
        own = Shuffled(len(self.parts[part]), self.seed + part)
        return self.parts[part][own(block * counts[part] + among)]


class WindowSampler(Sampler[list[int]]):
    """Micro-batches of an endless stream of samples, cut into windows of `global_batch` samples.

    Window w holds stream positions w * global_batch and on; rank r of `world` takes every world-th of them, in
    micro-batches. Yields the windows from `start` (settable, for a resumed run) to `windows`; its length is that of the
    whole run.
    """

    def __init__(
        self, stream: Stream, *, windows: int, global_batch: int, micro_batch: int, rank: int, world: int
    ) -> None:
        if global_batch % (micro_batch * world):
            raise ValueError(
                f"global_batch={global_batch} is not a multiple of micro_batch={micro_batch} x {world} processes; "
                f"the nearest is {max(1, round(global_batch / (micro_batch * world))) * micro_batch * world}"
            )
        self.stream = stream
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
            mine = [self.stream(p) for p in range(first + self.rank, first + self.global_batch, self.world)]
            for at in range(0, len(mine), self.micro_batch):
                yield mine[at : at + self.micro_batch]


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


@lru_cache(maxsize=64)
def _counts(shares: tuple[float, ...]) -> tuple[int, ...]:
    """How many of BLOCK positions each part has."""
    if not shares or min(shares) < 0 or not sum(shares):
        raise ValueError(f"shares of a mixture are {list(shares)}; wanted are numbers of 0 or more, not all 0")
    ends = [round(BLOCK * end / sum(shares)) for end in accumulate(shares, initial=0)]
    return tuple(end - start for start, end in pairwise(ends))


@lru_cache(maxsize=4)
def _dealt(counts: tuple[int, ...], seed: int, block: int) -> list[tuple[int, int]]:
    """(part, how many of that part stand before) at each place of a block."""
    parts = np.repeat(np.arange(len(counts)), counts)[np.random.default_rng([seed, block, BLOCK]).permutation(BLOCK)]
    before = np.zeros(BLOCK, dtype=int)
    for part in range(len(counts)):
        before[parts == part] = np.arange(counts[part])
    return list(zip(parts.tolist(), before.tolist(), strict=True))


@lru_cache(maxsize=32)
def _permutation(size: int, seed: int, epoch: int) -> np.ndarray:
    return np.random.default_rng(np.random.SeedSequence([seed, epoch])).permutation(size)
