"""Does every purpose get its own numbers, the same everywhere?"""

from __future__ import annotations

import random

import numpy as np

from circuitvlm.runtime.seed import generator, seed_plain, stream


def test_a_stream_is_the_same_on_every_machine() -> None:
    assert stream(0, "sampler", 3) == 7462263985655121724


def test_streams_differ_by_every_part_of_their_name() -> None:
    names = [(s, *rest) for s in range(20) for rest in (("a",), ("b",), ("a", 1), ("a", "1"), ("a1",), (), ("a", "b"))]
    found = [stream(*name) for name in names]
    assert len(set(found)) == len(found)
    assert all(0 <= seed < 2**63 for seed in found)


def test_generators_repeat() -> None:
    assert generator(1, "x").integers(1000, size=5).tolist() == generator(1, "x").integers(1000, size=5).tolist()
    assert generator(1, "x").integers(1000, size=5).tolist() != generator(1, "y").integers(1000, size=5).tolist()


def test_the_global_generators_repeat() -> None:
    def draw() -> tuple[float, float]:
        seed_plain(5)
        return random.random(), float(np.random.rand())

    first = draw()
    assert first == draw()
    assert first[0] != first[1]
