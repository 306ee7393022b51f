"""Check that the samples of a run do not depend on ranks and micro-batches, and that each question is asked once."""

from __future__ import annotations

from collections import Counter
from itertools import chain

import pytest

from circuitvlm.training.batches.sampler import BLOCK, EpochStream, MixtureStream, OnceSampler, WindowSampler

CUTS = [(1, 12), (1, 4), (1, 1), (2, 6), (2, 3), (3, 4), (3, 2), (4, 3), (12, 1)]
"""(ranks, micro-batch), of windows of 12."""


def sampler(
    size: int = 31, *, rank: int = 0, world: int = 1, micro: int = 12, windows: int = 8, seed: int = 5
) -> WindowSampler:
    stream = EpochStream(size, seed)
    return WindowSampler(stream, windows=windows, global_batch_size=12, micro_batch_size=micro, rank=rank, world=world)


def windows(size: int, *, world: int, micro: int) -> list[list[int]]:
    """The samples of each window over all ranks, as sets with repeats."""
    found: list[list[int]] = [[] for _ in range(8)]
    for rank in range(world):
        one = sampler(size, rank=rank, world=world, micro=micro)
        batches = list(one)
        assert len(batches) == len(one) == 8 * one.accumulation
        assert {len(batch) for batch in batches} == {micro}
        for index, batch in enumerate(batches):
            found[index // one.accumulation] += batch
    return [sorted(window) for window in found]


@pytest.mark.parametrize("size", [31, 12, 5, 1, 1000])
@pytest.mark.parametrize(("world", "micro"), CUTS)
def test_windows_do_not_depend_on_ranks_and_micro_batches(size: int, world: int, micro: int) -> None:
    assert windows(size, world=world, micro=micro) == windows(size, world=1, micro=12)


@pytest.mark.parametrize("size", [31, 12, 5, 1])
def test_an_epoch_has_every_sample_once(size: int) -> None:
    stream = list(chain.from_iterable(sampler(size, windows=40)))
    for start in range(0, len(stream) - size + 1, size):
        assert sorted(stream[start : start + size]) == list(range(size))


def test_epochs_and_seeds_are_shuffled_differently() -> None:
    stream = list(chain.from_iterable(sampler(100, windows=40)))
    assert stream[:100] != stream[100:200]
    assert stream[:100] != list(range(100))
    assert stream != list(chain.from_iterable(sampler(100, windows=40, seed=6)))


@pytest.mark.parametrize("start", [0, 1, 3, 8])
def test_a_resumed_run_goes_on_where_it_stopped(start: int) -> None:
    whole, resumed = sampler(micro=4), sampler(micro=4)
    resumed.start = start
    assert list(resumed) == list(whole)[start * whole.accumulation :]
    assert len(resumed) == len(whole), "Lightning compares a resumed run's length with the whole run's"


def test_asking_again_gives_the_same() -> None:
    one = sampler(micro=4)
    assert list(one) == list(one)


def test_a_window_that_cannot_be_cut_is_refused_with_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"micro_batch_size=5 x 1 processes, got 12; the nearest is 10"):
        sampler(micro=5)
    with pytest.raises(ValueError, match="at least 1 training example"):
        sampler(size=0)


PARTS = [list(range(10)), list(range(10, 1510)), list(range(1510, 1513))]


@pytest.mark.parametrize("shares", [[1, 1, 1], [3, 1, 0], [0.2, 0.7, 0.1], [1, 998, 1]])
def test_a_mixture_has_its_shares_and_every_part_its_own_epochs(shares: list[float]) -> None:
    mixed = MixtureStream(PARTS, shares, seed=3)
    stream = [mixed(position) for position in range(5 * BLOCK)]
    for part, share in zip(PARTS, shares, strict=True):
        drawn = [sample for sample in stream if sample in part]
        assert len(drawn) == pytest.approx(len(stream) * share / sum(shares), abs=5 * 1)
        for start in range(0, len(drawn) - len(part) + 1, len(part)):
            assert sorted(drawn[start : start + len(part)]) == part, "an epoch has every sample once"


def test_a_mixture_is_mixed_and_goes_on_anywhere() -> None:
    mixed = MixtureStream(PARTS, [1, 1, 1], seed=3)
    first = [mixed(position) for position in range(60)]
    assert min(sum(sample in part for sample in first) for part in PARTS) > 8
    assert [MixtureStream(PARTS, [1, 1, 1], seed=3)(position) for position in range(30, 60)] == first[30:]
    assert [MixtureStream(PARTS, [1, 1, 1], seed=4)(position) for position in range(60)] != first


@pytest.mark.parametrize(
    ("parts", "shares", "said"),
    [
        ([[], [1]], [1, 1], "got 0 examples and"),
        ([[0], [1]], [1, 5000], "1 sample in 1000, got 1 examples and 0 samples"),
        ([[0], [1]], [1, -1], "not all 0"),
        ([[0], [1]], [0, 0], "not all 0"),
    ],
)
def test_shares_that_cannot_be_kept_are_refused(parts: list[list[int]], shares: list[float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        MixtureStream(parts, shares, seed=0)


@pytest.mark.parametrize("size", [1, 2, 7, 12, 13, 100])
@pytest.mark.parametrize(("world", "batch"), [(1, 1), (1, 4), (2, 3), (3, 4), (4, 1), (8, 8)])
def test_every_question_is_asked_once(size: int, world: int, batch: int) -> None:
    ranks = [OnceSampler(size, batch=batch, rank=rank, world=world) for rank in range(world)]
    found = [list(one) for one in ranks]
    assert len({len(batches) for batches in found}) == 1, "a rank with fewer batches would leave the others waiting"
    assert [len(one) for one in ranks] == [len(batches) for batches in found]
    assert all(0 < len(samples) <= batch for batches in found for samples in batches)
    count = Counter(sample for batches in found for samples in batches for sample in samples)
    assert sorted(count) == list(range(size))
    assert {sample for sample, times in count.items() if times > 1} <= {0}, "only the filler, sample 0, may come again"
