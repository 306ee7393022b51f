"""Are fields counted as Donut counts them, and do prices have to sit with their items where that is asked?"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from typing import Any

import pytest

from circuitvlm.metric import item_f1
from circuitvlm.metric._fields.fields import normalise, paths
from circuitvlm.metric.field_f1 import FieldF1
from circuitvlm.metric.item_f1 import ItemF1
from circuitvlm.metric.json_valid import JsonValid
from tests.steps import max_calls

A, B = {"nm": "a", "price": "1"}, {"nm": "b", "price": "2"}
CROSSED = [{"nm": "a", "price": "2"}, {"nm": "b", "price": "1"}]
WITH_SUBS = {"nm": "a", "sub": [{"nm": "x", "price": "5"}, {"nm": "y", "price": "6"}]}
SUBS_CROSSED = {"nm": "a", "sub": [{"nm": "x", "price": "6"}, {"nm": "y", "price": "5"}]}


@pytest.mark.parametrize(
    ("said", "true", "fields", "items"),
    [
        ({"menu": [A, B]}, {"menu": [A, B]}, 1, 1),
        ({"menu": [B, A]}, {"menu": [A, B]}, 1, 1),
        ({"menu": CROSSED}, {"menu": [A, B]}, 1, 1 / 2),
        ({"menu": SUBS_CROSSED}, {"menu": [WITH_SUBS]}, 1, 3 / 5),
        ({"menu": [WITH_SUBS, A]}, {"menu": [A, WITH_SUBS]}, 1, 1),
        ({"menu": [A, A]}, {"menu": [A, B]}, 1 / 2, 1 / 2),
        ({"menu": [A]}, {"menu": A}, 1, 1),
        ({"total": 60}, {"total": "60"}, 1, 1),
        ({"total": ["1", "1", "2"]}, {"total": ["1", "2", "2"]}, 2 / 3, 2 / 3),
        ({"menu": "a"}, {"menu": A}, 0, 0),
        ({}, {"menu": A}, 0, 0),
        ({"menu": A}, {}, 0, 0),
        ({}, {}, 1, 1),
        (None, {}, 0, 0),
        ("a", {"menu": A}, 0, 0),
    ],
)
def test_fields_are_counted_with_and_without_their_items(said: Any, true: Any, fields: float, items: float) -> None:
    assert FieldF1(field="").score(said, true).value == pytest.approx(fields)
    assert ItemF1().score(said, true).value == pytest.approx(items)


def test_counts_of_a_corpus_sum_to_its_micro_f1() -> None:
    pairs = [({"menu": [A, B]}, {"menu": [A, B]}), ({"total": "1"}, {"total": "2", "x": "1"})]
    counts = [FieldF1(field="").counts(*pair) for pair in pairs]
    assert [(c.right, c.predicted_count, c.expected_count) for c in counts] == [(4, 4, 4), (0, 1, 2)]
    assert 2 * sum(c.right for c in counts) / sum(c.predicted_count + c.expected_count for c in counts) == 8 / 11


def test_the_weighted_mean_of_scores_is_the_micro_f1_and_what_is_unreadable_has_said_nothing() -> None:
    pairs = [({"menu": [A, B]}, {"menu": [A, B]}), ({"total": "1"}, {"total": "2", "x": "1"}), (None, {"menu": [A]})]
    for metric in (FieldF1(field=""), ItemF1()):
        scores = [metric.score(*pair) for pair in pairs]
        assert [score.weight for score in scores] == [8, 3, 2]
        assert sum(score.value * score.weight for score in scores) / 13 == 8 / 13
        assert metric.score(HOSTILE["deep"], {"menu": [A]}).weight == 2
        assert metric.score({}, {}).weight == 0


@pytest.mark.parametrize(
    ("field", "counts"),
    [("menu.nm", (1, 2, 2)), ("menu", (3, 4, 4)), ("me", (0, 0, 0)), ("total", (1, 1, 1)), ("total.x", (0, 0, 0))],
)
def test_one_field_is_counted_with_what_lies_under_it(field: str, counts: tuple[int, int, int]) -> None:
    said, true = {"menu": [A, dict(B, nm="?")], "total": "3"}, {"menu": [A, B], "total": "3"}
    found = FieldF1(field=field).counts(said, true)
    assert (found.right, found.predicted_count, found.expected_count) == counts


def test_items_are_aligned_as_the_best_of_all_orders_aligns_them() -> None:
    rng = random.Random(4)
    for _ in range(60):
        said, true = ([_item(rng) for _ in range(rng.randint(1, 4))] for _ in range(2))
        found = ItemF1().counts({"menu": said}, {"menu": true})
        assert found.right == _best(said, true)


def _item(rng: random.Random) -> dict[str, str]:
    return {key: rng.choice("12") for key in ("nm", "cnt", "price") if rng.random() < 0.8} or {"nm": "1"}


def _best(said: list[dict[str, str]], true: list[dict[str, str]]) -> int:
    short, long = sorted((said, true), key=len)
    orders = itertools.permutations(long, len(short))
    return max(sum(len(a.items() & b.items()) for a, b in zip(short, order, strict=True)) for order in orders)


def test_items_right_are_never_more_than_fields_right() -> None:
    rng = random.Random(6)
    for _ in range(100):
        said, true = ({"menu": [_item(rng) for _ in range(rng.randint(0, 5))]} for _ in range(2))
        assert ItemF1().counts(said, true).right <= FieldF1(field="").counts(said, true).right


def test_paths_are_dotted_and_a_multiset() -> None:
    found = paths(normalise({"menu": [WITH_SUBS, A], "total": ["1", "1"]}))
    assert found == Counter(
        {
            ("menu.nm", "a"): 2,
            ("menu.sub.nm", "x"): 1,
            ("menu.sub.price", "5"): 1,
            ("menu.sub.nm", "y"): 1,
            ("menu.sub.price", "6"): 1,
            ("menu.price", "1"): 1,
            ("total", "1"): 2,
        }
    )


def _deep(depth: int) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for _ in range(depth):
        made = {"a": [made, {"b": "1"}]}
    return made


HOSTILE = {
    "deep": _deep(10_000),
    "wide": {"menu": [{"nm": str(k)} for k in range(1_000_000)]},
    "long": {"menu": {"nm": "x" * 10_000_000}},
    "items": {"menu": [{"nm": str(k % 7), "price": str(k)} for k in range(10_000)]},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_objects_are_worth_nothing_and_take_no_time(name: str) -> None:
    with max_calls(40_000_000):
        for metric in (FieldF1(field=""), FieldF1(field="menu.nm"), ItemF1()):
            assert metric.score(HOSTILE[name], {"menu": [A] * 40}).value < 0.01
            assert metric.score({"menu": [A] * 40}, HOSTILE[name]).value < 0.01


def test_too_many_pairs_of_items_are_worth_nothing_and_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_f1, "MAX_PAIRS", 8)
    assert ItemF1().score({"menu": [A]}, {"menu": [A, B]}).value == pytest.approx(2 / 3)
    found = ItemF1().score({"menu": [B, A]}, {"menu": [A, B]})
    assert (found.value, found.why) == (0, "JSON object: expected at most 8 pairs of items to compare, got 9")
    assert ItemF1().score({"menu": [A, B]}, {"menu": [A, B]}).value == 1, "what is the same need not be compared"


def test_a_receipt_of_three_hundred_items_with_what_was_added_to_each_is_graded_in_seconds() -> None:
    menu = [{"nm": f"{k}", "sub": [{"nm": f"{k} {j}", "price": "1"} for j in range(3)]} for k in range(300)]
    with max_calls(40_000_000):
        assert ItemF1().score({"menu": menu[1:]}, {"menu": menu}).value == pytest.approx(1 - 7 / 4193)


class Said(dict[str, Any]):
    def __init__(self, mended: str) -> None:
        super().__init__(total="1")
        self.mended = mended


def test_a_reply_is_valid_as_it_stands_whole_with_help_or_only_repaired() -> None:
    replies = [Said(""), Said("found"), Said("repaired"), {"total": "1"}, None, "x", []]
    strict, complete = (JsonValid(aspect=aspect) for aspect in ("strict", "complete"))
    assert [strict.score(said, {}).value for said in replies] == [1, 0, 0, 1, 0, 0, 0]
    assert [complete.score(said, {}).value for said in replies] == [1, 1, 0, 1, 0, 0, 0]
    with pytest.raises(ValueError, match=r"expected .strict. or .complete."):
        JsonValid(aspect="loose")  # type: ignore[arg-type]  # what a YAML may state
