"""Check that each purpose gets its own random numbers, the same on every machine."""

from __future__ import annotations

import random

import numpy as np

from circuitvlm.runtime.seed import derive_seed, seed_random_and_numpy


def test_a_stream_is_the_same_on_every_machine() -> None:
    assert derive_seed(0, "sampler", 3) == 7462263985655121724


def test_streams_differ_by_every_part_of_their_name() -> None:
    names = [
        (s, *words) for s in range(20) for words in (("a",), ("b",), ("a", 1), ("a", "1"), ("a1",), (), ("a", "b"))
    ]
    seeds = [derive_seed(*name) for name in names]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_the_global_generators_repeat() -> None:
    def draw() -> tuple[float, float]:
        seed_random_and_numpy(5)
        return random.random(), float(np.random.rand())

    first = draw()
    assert first == draw()
    assert first[0] != first[1]
