"""Measure the time to grade receipts. Run as `python benchmarks/trees.py [--write FILE]`.

Donut's accuracy is computed by `circuitvlm.metric.json_tree` and by a reference, on the same receipts in turn. The
reference is zss (`pip install zss`) with the costs and the plain string distance of Donut's evaluation. The exit status
is 1 where the two values differ. The other metrics are timed alone, on receipts of 300 items.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import zss
from _figures import environment_line, estimate, format_estimate, seconds, table, times
from rich.console import Console

from circuitvlm.metric._fields.distance import ITEM, ROOT
from circuitvlm.metric._fields.fields import Fields, normalise, paths
from circuitvlm.metric.field_f1 import FieldF1
from circuitvlm.metric.item_f1 import ItemF1
from circuitvlm.metric.json_tree import JsonTree

SEED = 71
RECEIPTS = 12
FIELDS = 71
"""Number of fields of each receipt that both methods grade."""

ITEMS = 300
LARGE = 3
WORDS = ("NASI", "GORENG", "AYAM", "BAKAR", "ES", "TEH", "MANIS", "SPC", "KOPI", "SUSU", "MIE", "KUAH", "JUMBO")

Node = tuple[str, bool, list[Any]]
"""The label of a node, whether it is a leaf, and its children."""


# ----------------------------------------------------------------------------------------------------------- reference


def donut(prediction: dict[str, Any], truth: dict[str, Any]) -> float:
    """Return Donut's accuracy by its definition. The truth has at least one field."""
    fields, true_fields = normalise(prediction), normalise(truth)
    return max(0.0, 1 - donut_distance(fields, true_fields) / donut_distance({}, true_fields))


def donut_distance(fields: Fields, true_fields: Fields) -> float:
    edit_distance: float = zss.distance(
        tree(fields),
        tree(true_fields),
        get_children=lambda node: node[2],
        insert_cost=cost,
        remove_cost=cost,
        update_cost=update_cost,
    )
    return edit_distance


def tree(fields: Fields | list[Any], label: str = ROOT) -> Node:
    if isinstance(fields, dict):
        return (label, False, [tree(values, key) for key, values in fields.items()])
    return (label, False, [tree(item, ITEM) if isinstance(item, dict) else (item, True, []) for item in fields])


def cost(node: Node) -> int:
    return len(node[0]) if node[1] else 1


def update_cost(first: Node, second: Node) -> int:
    """Return the cost of replacing one node by another."""
    if first[1] and second[1]:
        return levenshtein(first[0], second[0])
    if not first[1] and not second[1]:
        return int(first[0] != second[0])
    return 1 + len(first[0] if first[1] else second[0])


def levenshtein(first: str, second: str) -> int:
    """Return the edit distance, computed row by row (Wagner and Fischer 1974)."""
    row = list(range(len(second) + 1))
    for i, letter in enumerate(first, 1):
        corner, row[0] = row[0], i
        for j, second_letter in enumerate(second, 1):
            corner, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, corner + (letter != second_letter))
    return row[-1]


# ------------------------------------------------------------------------------------------------------------ receipts


def receipt(rng: random.Random, *, items: int) -> dict[str, Any]:
    """Generate a receipt with items of three or four fields, one of them with sub-items, and with totals."""
    menu = [_item(rng) for _ in range(items)]
    menu[0]["sub"] = [{"nm": _name(rng), "price": _price(rng)} for _ in range(2)]
    total = {name: _price(rng) for name in ("total_price", "cashprice", "changeprice")}
    return {"menu": menu, "sub_total": {"subtotal_price": _price(rng), "tax_price": _price(rng)}, "total": total}


def receipt_of(rng: random.Random, *, fields: int) -> dict[str, Any]:
    """Generate a receipt with exactly this number of fields. Its last item may lack some fields."""
    parse = receipt(rng, items=fields // 3)
    while (excess := paths(normalise(parse)).total() - fields) > 0:
        if excess >= len(parse["menu"][-1]):
            parse["menu"].pop()
        else:
            parse["menu"][-1].popitem()
    return parse


def misread(rng: random.Random, truth: dict[str, Any]) -> dict[str, Any]:
    """Return what a fair model may predict: some letters are wrong, and some fields and one item are missing."""
    menu = [{key: _misread(rng, value) for key, value in item.items() if rng.random() < 0.95} for item in truth["menu"]]
    del menu[rng.randrange(len(menu))]
    return {**truth, "menu": menu}


def _misread(rng: random.Random, value: Any) -> Any:
    if not isinstance(value, str) or rng.random() < 0.8:
        return value
    position = rng.randrange(len(value))
    return value[:position] + rng.choice("0158OIBS") + value[position + 1 :]


def _item(rng: random.Random) -> dict[str, Any]:
    item = {"nm": _name(rng), "cnt": f"{rng.randint(1, 9)} x", "price": _price(rng)}
    return item | {"unitprice": f"@{_price(rng)}"} if rng.random() < 0.5 else item


def _name(rng: random.Random) -> str:
    return " ".join(rng.choices(WORDS, k=rng.randint(1, 4)))


def _price(rng: random.Random) -> str:
    return f"{rng.randint(1, 400)},{rng.choice(('000', '500'))}"


# -------------------------------------------------------------------------------------------------------- measurements


def call_timed(function: Callable[[Any, Any], Any], pair: tuple[Any, Any]) -> tuple[float, Any]:
    """Return the seconds of the call, and its result."""
    start = time.perf_counter()
    result = function(*pair)
    return time.perf_counter() - start, result


def compare(pairs: list[tuple[Any, Any]]) -> tuple[list[list[str]], list[str]]:
    """Return the rows of the table, and a line for each pair for which the two values differ."""
    metric_times, reference_times, differences = [], [], []
    metric = JsonTree()
    metric.score(*pairs[0])
    for number, pair in enumerate(pairs):
        duration, score = call_timed(metric.score, pair)
        metric_times.append(duration)
        duration, value = call_timed(donut, pair)
        reference_times.append(duration)
        if score.value != value:
            differences.append(f"receipt {number}: expected {value} as the reference, got {score.value}")
    ratio = estimate([b / a for a, b in zip(metric_times, reference_times, strict=True)])
    rows = [
        _row("json_tree", metric_times, "1"),
        _row("zss, as Donut", reference_times, format_estimate(ratio, times)),
    ]
    return rows, differences


def _row(name: str, durations: list[float], ratio: str) -> list[str]:
    return [name, str(len(durations)), format_estimate(estimate(durations), seconds), seconds(max(durations)), ratio]


def main() -> None:
    """Measure, print the page, and write it if a path is given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, help="the page to write")
    path = parser.parse_args().write
    rng = random.Random(SEED)
    truths = [receipt_of(rng, fields=FIELDS) for _ in range(RECEIPTS)]
    rows, differences = compare([(misread(rng, truth), truth) for truth in truths])
    large = [(misread(rng, truth), truth) for truth in (receipt(rng, items=ITEMS) for _ in range(LARGE))]
    metrics = {"json_tree": JsonTree(), "item_f1": ItemF1(), "field_f1": FieldF1(field="")}
    metric_rows = [_row(name, [call_timed(m.score, pair)[0] for pair in large], "")[:-1] for name, m in metrics.items()]
    text = "\n\n".join(
        [
            "# Time to grade receipts",
            environment_line(),
            f"Both grade receipts of {FIELDS} fields in turn, with 95 % intervals of a bootstrap over receipts.",
            table(["accuracy by", "receipts", "median", "slowest", "times ours"], rows),
            f"Receipts of {ITEMS} items.",
            table(["metric", "receipts", "median", "slowest"], metric_rows),
        ]
    )
    console = Console(soft_wrap=True)
    for line in (text, *differences):
        console.print(line, markup=False, highlight=False)
    if path is not None:
        path.write_text(text + "\n", encoding="utf-8")
    sys.exit(1 if differences else 0)


if __name__ == "__main__":
    main()
