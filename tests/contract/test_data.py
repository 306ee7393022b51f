"""Does every source of conf/data keep its promises, built small? And would we notice if not?"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from circuitvlm.core.record import Example, Picture, PictureError
from tests.contract import parts
from tests.contract.sources import small_sources

Again = Callable[[], Any]


def promise_stated(source: Any, said: Mapping[str, Any], again: Again) -> None:
    """Every split that the source states is there, with as many examples as it says."""
    stated = said.get("splits", source.splits())
    assert list(source.splits()) == list(stated), f"splits {source.splits()}, stated are {list(stated)}"
    for split in source.splits():
        count = len(source.examples(split))
        assert count, f"{split} is empty"
        wanted = stated[split].get("count", count) if isinstance(stated, Mapping) else count
        assert count == wanted, f"{split} has {count} examples, stated are {wanted}"


def promise_unique(source: Any, said: Mapping[str, Any], again: Again) -> None:
    """No id comes twice, in one split or in two."""
    ids = Counter(example.id for split in source.splits() for example in source.examples(split))
    twice = [name for name, count in ids.items() if count > 1]
    assert not twice, f"{len(twice)} ids come more than once, such as {twice[:3]}"


def promise_apart(source: Any, said: Mapping[str, Any], again: Again) -> None:
    """No topology lies in two splits, unless both state that they draw from the same share."""
    shares = {split: _share(said, split) for split in source.splits()}
    found = {
        split: {topology for e in source.examples(split) if (topology := e.tags.get("topology"))} for split in shares
    }
    for one, other in combinations(shares, 2):
        if shares[one] != shares[other]:
            both = sorted(found[one] & found[other])
            assert not both, f"{len(both)} topologies lie in {one} and in {other}, such as {both[:2]}"


def promise_order(source: Any, said: Mapping[str, Any], again: Again) -> None:
    """The same examples in the same order, asked twice, and made anew somewhere else."""
    for split in source.splits():
        first = _content(source.examples(split))
        assert _content(source.examples(split)) == first, f"{split}: another order when asked again"
        assert _content(again().examples(split)) == first, f"{split}: another content when made anew"


def promise_readable(source: Any, said: Mapping[str, Any], again: Again) -> None:
    """Every image can be read."""
    for split in source.splits():
        for example in source.examples(split):
            for picture in example.images:
                try:
                    size = picture.open().size
                except PictureError as error:
                    raise AssertionError(f"{split}/{example.id}: {error}") from error
                assert min(size) > 1, f"{split}/{example.id}: an image of {size} pixels"


def _share(said: Mapping[str, Any], split: str) -> object:
    """What a split states as its share of the topologies; where it states nothing, the split itself."""
    stated = said.get("splits", {})
    return stated[split].get("topologies", split) if isinstance(stated, Mapping) and split in stated else split


def _content(examples: Sequence[Example]) -> list[Any]:
    """Ids, facts, tags and pixels; the folder of the pictures does not count."""
    return [
        (e.id, dict(e.facts), dict(e.tags), [hashlib.sha256(p.path.read_bytes()).hexdigest() for p in e.images])
        for e in examples
    ]


# ------------------------------------------------------------------------------------------------------- what is there


@pytest.mark.parametrize("name", parts.names("data"))
@parts.each_promise(globals())
def test_source_keeps(promise: parts.Promise, name: str, cache: Path, tmp_path: Path) -> None:
    for key, (source, said) in small_sources(name, cache).items():
        parts.check_promise(promise, source, said, lambda key=key: small_sources(name, tmp_path)[key][0])


# -------------------------------------------------------------------------------------- and we would notice if it broke


@dataclass
class Listed:
    """A source that gives out what it was given."""

    rows: dict[str, list[Example]] = field(default_factory=dict)
    turn: int = 0

    def splits(self) -> tuple[str, ...]:
        return tuple(self.rows)

    def examples(self, split: str) -> Sequence[Example]:
        rows = self.rows[split]
        return rows[self.turn :] + rows[: self.turn]


SAID = {"splits": {"train": {"count": 2, "topologies": "train"}, "test": {"count": 1, "topologies": "test"}}}


@pytest.fixture
def rows(tmp_path: Path) -> dict[str, list[Example]]:
    """Three good examples in two splits."""
    path = tmp_path / "white.png"
    Image.new("RGB", (8, 8), "white").save(path)
    a, b, c = (Example(id=x, images=(Picture(path),), facts={"netlist": x}, tags={"topology": x}) for x in "abc")
    return {"train": [a, b], "test": [c]}


def incomplete(rows: dict[str, list[Example]]) -> Listed:
    return Listed({"train": rows["train"]})


def repeating(rows: dict[str, list[Example]]) -> Listed:
    return Listed({"train": rows["train"], "test": [replace(rows["test"][0], id="a")]})


def leaking(rows: dict[str, list[Example]]) -> Listed:
    return Listed({"train": rows["train"], "test": [replace(rows["test"][0], tags={"topology": "a"})]})


def turning(rows: dict[str, list[Example]]) -> Listed:
    return Listed(rows, turn=1)


def torn(rows: dict[str, list[Example]]) -> Listed:
    picture = rows["test"][0].images[0]
    torn = picture.path.with_name("torn.png")
    torn.write_bytes(picture.path.read_bytes()[:40])
    return Listed({**rows, "test": [replace(rows["test"][0], images=(Picture(torn),))]})


BROKEN = [
    (promise_stated, incomplete, "stated are"),
    (promise_unique, repeating, "more than once"),
    (promise_apart, leaking, "topologies lie in"),
    (promise_order, turning, "another content"),
    (promise_readable, torn, "not a readable image"),
]


@pytest.mark.parametrize(("promise", "fault", "said"), BROKEN, ids=[parts.name_of(row[0]) for row in BROKEN])
def test_a_broken_source_is_noticed(
    promise: parts.Promise, fault: Any, said: str, rows: dict[str, list[Example]]
) -> None:
    promise(Listed(rows), SAID, lambda: Listed(rows))
    with pytest.raises(AssertionError, match=said):
        promise(fault(rows), SAID, lambda: Listed(rows))


def test_every_promise_is_proven() -> None:
    assert parts.unproven_promises(globals(), BROKEN) == []
