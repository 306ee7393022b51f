"""Does every dropout of conf/dropout keep its promises? And would we notice if not?"""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract import rooms

DEPTHS = range(1, 41)


def promise_length(dropout: Any) -> None:
    """One probability for each block."""
    for depth in DEPTHS:
        found = len(dropout.profile(depth))
        assert found == depth, f"{found} probabilities for {depth} blocks"


def promise_probabilities(dropout: Any) -> None:
    """Each is a probability in [0, 1): 1 would let nothing through."""
    for depth in DEPTHS:
        wrong = [p for p in dropout.profile(depth) if not 0 <= p < 1]
        assert not wrong, f"at depth {depth}: {wrong} lie outside of [0, 1)"


def promise_same(dropout: Any) -> None:
    """The same profile whatever was asked before."""
    first = {depth: list(dropout.profile(depth)) for depth in DEPTHS}
    for depth in reversed(DEPTHS):
        assert list(dropout.profile(depth)) == first[depth], f"another profile of {depth} blocks when asked again"


@pytest.mark.parametrize("name", rooms.names("dropout"))
@rooms.promises(globals())
def test_dropout_keeps(promise: rooms.Promise, name: str) -> None:
    rooms.hold(promise, rooms.build("dropout", name))


class Short:
    def profile(self, depth: int) -> list[float]:
        return [0.1] * min(depth, 32)


class Growing:
    def profile(self, depth: int) -> list[float]:
        return [0.03 * k for k in range(depth)]


class Tiring:
    p = 0.5

    def profile(self, depth: int) -> list[float]:
        self.p *= 0.99
        return [self.p] * depth


BROKEN = [
    (promise_length, Short, "32 probabilities for 33"),
    (promise_probabilities, Growing, "outside of"),
    (promise_same, Tiring, "another profile"),
]


@pytest.mark.parametrize(("promise", "kind", "said"), BROKEN, ids=[rooms.name_of(row[0]) for row in BROKEN])
def test_a_broken_dropout_is_noticed(promise: rooms.Promise, kind: Any, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        promise(kind())


def test_every_promise_is_proven() -> None:
    assert rooms.unproven(globals(), BROKEN) == []
