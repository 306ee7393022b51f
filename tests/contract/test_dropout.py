"""Check the promises of every dropout of conf/dropout, and that a broken one is noticed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract import parts

DEPTHS = range(1, 41)


def promise_length(dropout: Any) -> None:
    """One probability for each block."""
    for depth in DEPTHS:
        length = len(dropout.profile(depth))
        assert length == depth, f"{length} probabilities for {depth} blocks"


def promise_probabilities(dropout: Any) -> None:
    """Each is a probability in [0, 1): with 1 nothing passes."""
    for depth in DEPTHS:
        wrong = [p for p in dropout.profile(depth) if not 0 <= p < 1]
        assert not wrong, f"at depth {depth}: {wrong} lie outside of [0, 1)"


def promise_same(dropout: Any) -> None:
    """The same profile in whatever order depths are given."""
    first = {depth: list(dropout.profile(depth)) for depth in DEPTHS}
    for depth in reversed(DEPTHS):
        assert list(dropout.profile(depth)) == first[depth], f"another profile of {depth} blocks in the second call"


@pytest.mark.parametrize("name", parts.names("dropout"))
@parts.each_promise(globals())
def test_dropout_keeps(promise: parts.Promise, name: str) -> None:
    parts.check_promise(promise, parts.build("dropout", name))


class Short:
    def profile(self, depth: int) -> list[float]:
        return [0.1] * min(depth, 32)


class Growing:
    def profile(self, depth: int) -> list[float]:
        return [0.03 * k for k in range(depth)]


class Decaying:
    p = 0.5

    def profile(self, depth: int) -> list[float]:
        self.p *= 0.99
        return [self.p] * depth


BROKEN = [
    (promise_length, Short, "32 probabilities for 33"),
    (promise_probabilities, Growing, "outside of"),
    (promise_same, Decaying, "another profile"),
]


@pytest.mark.parametrize(("promise", "kind", "message"), BROKEN, ids=[parts.name_of(row[0]) for row in BROKEN])
def test_a_broken_dropout_is_noticed(promise: parts.Promise, kind: Any, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        promise(kind())


def test_every_promise_is_proven() -> None:
    assert parts.unproven_promises(globals(), BROKEN) == []
