"""Choose the samples of each step and rank.

Every choice is a function of seed and position, so no state is stored and a run resumes at any step. The samples of an
accumulation window do not depend on the number of ranks or on the size of micro-batches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise

import numpy as np
from torch.utils.data import Sampler

Stream = Callable[[int], int]
"""Map a position in an endless training to the index of its sample."""

BLOCK = 1000
"""Positions over which the weights of a mixture are kept exactly."""


@dataclass(frozen=True, slots=True)
class EpochStream:
    """A stream of epochs of `size` samples, each epoch shuffled on its own."""

    size: int
    seed: int

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(
                f"data: expected at least 1 training example, got {self.size}; check the train split of the sources"
            )

    def __call__(self, position: int) -> int:
        epoch, offset = divmod(position, self.size)
        return int(_permutation(self.size, self.seed, epoch)[offset])


@dataclass(frozen=True, slots=True)
class MixtureStream:
    """A stream over several components, each a list of samples with a weight and with epochs of its own.

    `weights` are relative. Each block of 1000 positions holds every component by its weight, rounded to whole samples,
    in shuffled order.
    """

    components: Sequence[Sequence[int]]
    weights: Sequence[float]
    seed: int

    def __post_init__(self) -> None:
        counts = _block_counts(tuple(self.weights))
        for samples, weight, count in zip(self.components, self.weights, counts, strict=True):
            if weight and not (samples and count):
                raise ValueError(
                    f"mixture_weights: a component of weight {weight:g} in {list(self.weights)} needs at least 1 "
                    f"example and 1 sample in {BLOCK}, got {len(samples)} examples and {count} samples"
                )

    def __call__(self, position: int) -> int:
        block, offset = divmod(position, BLOCK)
        counts = _block_counts(tuple(self.weights))
        component, index = _block_layout(counts, self.seed, block)[offset]
        samples = self.components[component]
        stream = EpochStream(len(samples), self.seed + component)
        return samples[stream(block * counts[component] + index)]


class WindowSampler(Sampler[list[int]]):
    """Micro-batches of an endless stream of samples, cut into windows of `global_batch_size` samples.

    Window w holds stream positions w * global_batch_size and on; rank r of `world` takes every world-th of them, in
    micro-batches. Yields the windows from `start` (settable, for a resumed run) to `windows`; its length is that of the
    whole run. Raises ValueError where ranks and micro-batches do not divide a window.
    """

    def __init__(
        self, stream: Stream, *, windows: int, global_batch_size: int, micro_batch_size: int, rank: int, world: int
    ) -> None:
        per_step = micro_batch_size * world
        if global_batch_size % per_step:
            raise ValueError(
                f"global_batch_size: expected a multiple of micro_batch_size={micro_batch_size} x {world} processes, "
                f"got {global_batch_size}; the nearest is {max(1, round(global_batch_size / per_step)) * per_step}"
            )
        self.stream = stream
        self.windows = windows
        self.global_batch_size = global_batch_size
        self.micro_batch_size = micro_batch_size
        self.rank = rank
        self.world = world
        self.start = 0

    @property
    def accumulation(self) -> int:
        """Micro-batches of one rank in one window."""
        return self.global_batch_size // (self.micro_batch_size * self.world)

    def __len__(self) -> int:
        return self.windows * self.accumulation

    def __iter__(self) -> Iterator[list[int]]:
        for window in range(self.start, self.windows):
            first = window * self.global_batch_size
            samples = [self.stream(p) for p in range(first + self.rank, first + self.global_batch_size, self.world)]
            for start in range(0, len(samples), self.micro_batch_size):
                yield samples[start : start + self.micro_batch_size]


class OnceSampler(Sampler[list[int]]):
    """Every sample once over all ranks, in order, in batches.

    All ranks yield the same number of batches, since they take part in each other's collectives. A rank without a
    sample repeats sample 0, whose second reply is dropped by its id.
    """

    def __init__(self, size: int, *, batch: int, rank: int, world: int) -> None:
        self.size = size
        self.batch = batch
        self.rank = rank
        self.world = world

    def __len__(self) -> int:
        return -(-self.size // (self.batch * self.world))

    def __iter__(self) -> Iterator[list[int]]:
        samples = list(range(self.rank, self.size, self.world))
        for index in range(len(self)):
            yield samples[index * self.batch : (index + 1) * self.batch] or [0]


@lru_cache(maxsize=64)
def _block_counts(weights: tuple[float, ...]) -> tuple[int, ...]:
    """The positions of a block that each component has. Raises ValueError for negative weights, or if all are 0."""
    if not weights or min(weights) < 0 or not sum(weights):
        raise ValueError(f"mixture_weights: expected numbers of 0 or more, not all 0, got {list(weights)}")
    ends = [round(BLOCK * end / sum(weights)) for end in accumulate(weights, initial=0)]
    return tuple(end - start for start, end in pairwise(ends))


@lru_cache(maxsize=4)
def _block_layout(counts: tuple[int, ...], seed: int, block: int) -> list[tuple[int, int]]:
    """(component, how many positions of that component come earlier) at each position of a block."""
    order = np.random.default_rng([seed, block, BLOCK]).permutation(BLOCK)
    components = np.repeat(np.arange(len(counts)), counts)[order]
    indices = np.zeros(BLOCK, dtype=int)
    for component in range(len(counts)):
        indices[components == component] = np.arange(counts[component])
    return list(zip(components.tolist(), indices.tolist(), strict=True))


@lru_cache(maxsize=32)
def _permutation(size: int, seed: int, epoch: int) -> np.ndarray:
    return np.random.default_rng(np.random.SeedSequence([seed, epoch])).permutation(size)
