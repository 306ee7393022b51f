"""Is the accuracy Donut's, for every tree, and is nothing too large or too deep for it?"""

from __future__ import annotations

import importlib
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circuitvlm.metric._fields import distance as distance_module
from circuitvlm.metric._fields.distance import Tree, distance
from circuitvlm.metric._fields.fields import TooLargeError, normalise, paths
from circuitvlm.metric._fields.texts import distances
from circuitvlm.metric.json_tree import JsonTree
from tests.steps import max_calls

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
KEYS = ("a", "b", "cc", "dd")


@pytest.fixture(scope="module")
def reference() -> Iterator[Any]:
    """zss with Donut's costs, as the benchmark states them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        yield importlib.import_module("trees")


def random_object(rng: random.Random, *, depth: int, wide: int) -> dict[str, Any]:
    return {rng.choice(KEYS): _random_value(rng, depth=depth, wide=wide) for _ in range(rng.randint(0, wide))}


def _random_value(rng: random.Random, *, depth: int, wide: int) -> Any:
    kind = rng.random()
    if depth == 0 or kind < 0.4:
        return "".join(rng.choice("ab1 é") for _ in range(rng.randint(0, 4)))
    if kind < 0.6:
        return random_object(rng, depth=depth - 1, wide=wide)
    count = rng.randint(0, wide)
    if kind < 0.9:
        return [random_object(rng, depth=depth - 1, wide=wide) for _ in range(count)]
    return [_random_value(rng, depth=0, wide=wide) for _ in range(count)]


def agree(reference: Any, seeds: range, *, deepest: int) -> int:
    """How many nodes the largest tree had."""
    largest = 0
    for seed in seeds:
        rng = random.Random(seed)
        one, two = (normalise(random_object(rng, depth=rng.randint(1, deepest), wide=deepest)) for _ in range(2))
        trees = Tree.from_fields(one), Tree.from_fields(two)
        assert distance(*trees) == reference.donut_distance(one, two), f"seed {seed}: {one} and {two}"
        largest = max(largest, *map(len, trees))
    return largest


def test_the_distance_is_that_of_zss_on_two_thousand_random_trees(reference: Any) -> None:
    assert agree(reference, range(2000), deepest=3) > 40


@pytest.mark.slow
def test_the_distance_is_that_of_zss_on_ten_thousand_random_trees(reference: Any) -> None:
    assert agree(reference, range(10_000, 20_000), deepest=4) > 200


def test_the_accuracy_is_that_of_zss_on_misread_receipts(reference: Any) -> None:
    rng = random.Random(5)
    for _ in range(3):
        truth = reference.receipt_of(rng, fields=30)
        said = reference.misread(rng, truth)
        assert paths(normalise(truth)).total() == 30
        assert 0 < JsonTree().score(said, truth).value == reference.donut(said, truth) < 1


def test_receipts_in_the_benchmark_are_compared_and_told(reference: Any) -> None:
    rng = random.Random(1)
    truth = reference.receipt_of(rng, fields=20)
    rows, wrong = reference.compare([(reference.misread(rng, truth), truth)])
    assert (len(rows), wrong) == (2, [])


texts = st.lists(st.text("ab1é😀\x00\ud800", max_size=9), max_size=6)


@given(texts, texts)
def test_letters_that_differ_are_counted_as_in_the_textbook(reference: Any, one: list[str], two: list[str]) -> None:
    found = distances(one, two)
    assert found.shape == (len(one), len(two))
    for i, text in enumerate(one):
        assert found[i].tolist() == [reference.levenshtein(text, other) for other in two]


def test_long_texts_are_compared_whole(reference: Any) -> None:
    rng = random.Random(2)
    one, two = ("".join(rng.choice("abc") for _ in range(300)) for _ in range(2))
    assert distances([one, "", two], [two]).T.tolist() == [[reference.levenshtein(one, two), 300, 0]]


A, B = {"nm": "a", "price": "1"}, {"nm": "b", "price": "2"}
CROSSED = [{"nm": "a", "price": "2"}, {"nm": "b", "price": "1"}]


@pytest.mark.parametrize(
    ("said", "true", "value"),
    [
        ({"menu": [A, B]}, {"menu": [A, B]}, 1),
        ({"menu": [B, A]}, {"menu": [A, B]}, 7 / 11),
        ({"menu": CROSSED}, {"menu": [A, B]}, 9 / 11),
        ({"total": 60}, {"total": "60"}, 1),
        ({"menu": [A]}, {"menu": A}, 1),
        ({"menu": A, "total": {}}, {"total": [], "menu": A}, 1),
        ({}, {"menu": A}, 0),
        ([], {"menu": A}, 0),
        ("menu", {"menu": A}, 0),
        (None, {"menu": A}, 0),
        ({}, {}, 1),
        ({"menu": A}, {}, 0),
        ({"menu": ""}, {}, 1),
        (None, {}, 0),
    ],
)
def test_the_accuracy_is_donuts_and_defined_for_nothing(said: Any, true: Any, value: float) -> None:
    assert JsonTree().score(said, true).value == pytest.approx(value, abs=1e-12)


def test_the_normal_form_is_donuts() -> None:
    said = {
        "ccc": [],
        "b": " x ",
        "aa": {"z": 0, "y": 1.5},
        "d": ["p", {"q": "r"}, None, True, 2],
        "e": [{}, {"f": "g"}],
    }
    assert list(normalise(said).items()) == [
        ("b", ["x"]),
        ("d", ["p", "2"]),
        ("e", [{"f": ["g"]}]),
        ("aa", [{"y": ["1.5"]}]),
    ]


def chain(depth: int) -> dict[str, Any]:
    made: dict[str, Any] = {"a": "1"}
    for _ in range(depth):
        made = {"a": "1", "b": made}
    return made


SHALLOW = {"menu": [dict(A, nm=f"item {k}") for k in range(20)]}
HOSTILE = {
    "deep": chain(10_000),
    "wide": {"menu": [{"nm": str(k)} for k in range(1_000_000)]},
    "long": {"menu": {"nm": "x" * 10_000_000}},
    "number": {"menu": {"nm": 10**9999}},
    "deepest": chain(60),
    "empty texts": {"menu": [{"nm": " ", "price": " "}] * 5_000},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_objects_are_worth_little_and_take_no_time(name: str) -> None:
    with max_calls(5_000_000):
        assert JsonTree().score(HOSTILE[name], SHALLOW).value < 0.2
        assert JsonTree().score(SHALLOW, HOSTILE[name]).value < 0.2


def test_a_truth_that_is_larger_than_the_bounds_is_worth_nothing_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"menu": [*SHALLOW["menu"], A]}
    for bound in ("MAX_CHARACTER_PAIRS", "MAX_NODE_PAIRS", "MAX_CELLS", "MAX_ROWS"):
        with monkeypatch.context() as patch:
            patch.setattr(distance_module, bound, 10)
            found = JsonTree().score(said, SHALLOW)
            assert found.value == 0
            assert "more than 10" in found.why
            assert JsonTree().score(SHALLOW, SHALLOW).value == 1


def test_a_deep_tree_is_refused_before_it_is_walked() -> None:
    with pytest.raises(TooLargeError, match="at most 64 nested levels"):
        normalise(chain(100))


def test_a_receipt_of_three_hundred_items_is_graded_in_seconds(reference: Any) -> None:
    rng = random.Random(3)
    truth = reference.receipt(rng, items=300)
    with max_calls(1_000_000):
        value = JsonTree().score(reference.misread(rng, truth), truth).value
        assert 0.8 < value < 1
