"""What does grading a receipt cost, ours and the reference? Run as `python benchmarks/trees.py [--write FILE]`.

Donut's accuracy by `circuitvlm.metric.json_tree`, beside zss (`pip install zss`) with the costs and the plain string
distance that Donut's evaluation gives it, on the same receipts in turn. Another value than the reference's ends in exit
1. The other metrics, and a receipt of 300 items, are timed alone.
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
from _figures import Estimate, estimate, ground, seconds, table, times, within
from rich.console import Console

from circuitvlm.metric._fields.distance import ITEM, ROOT
from circuitvlm.metric._fields.fields import Fields, normalise, paths
from circuitvlm.metric.field_f1 import FieldF1
from circuitvlm.metric.item_f1 import ItemF1
from circuitvlm.metric.json_tree import JsonTree

SEED = 71
RECEIPTS = 12
FIELDS = 71
"""Of each receipt that is put to both."""

ITEMS = 300
LARGE = 3
WORDS = ("NASI", "GORENG", "AYAM", "BAKAR", "ES", "TEH", "MANIS", "SPC", "KOPI", "SUSU", "MIE", "KUAH", "JUMBO")

Node = tuple[str, bool, list[Any]]
"""Label, whether it is a leaf, children."""


# ------------------------------------------------------------------------------------------------------- the reference


def donut(predicted: dict[str, Any], truth: dict[str, Any]) -> float:
    """Donut's accuracy by its definition; the truth has at least one field."""
    said, wanted = normalise(predicted), normalise(truth)
    return max(0.0, 1 - donut_distance(said, wanted) / donut_distance({}, wanted))


def donut_distance(said: Fields, wanted: Fields) -> float:
    found: float = zss.distance(
        tree(said),
        tree(wanted),
        get_children=lambda node: node[2],
        insert_cost=cost,
        remove_cost=cost,
        update_cost=relabelled,
    )
    return found


def tree(said: Fields | list[Any], label: str = ROOT) -> Node:
    if isinstance(said, dict):
        return (label, False, [tree(values, key) for key, values in said.items()])
    return (label, False, [tree(one, ITEM) if isinstance(one, dict) else (one, True, []) for one in said])


def cost(node: Node) -> int:
    return len(node[0]) if node[1] else 1


def relabelled(one: Node, two: Node) -> int:
    if one[1] and two[1]:
        return levenshtein(one[0], two[0])
    if not one[1] and not two[1]:
        return int(one[0] != two[0])
    return 1 + len(one[0] if one[1] else two[0])


def levenshtein(one: str, two: str) -> int:
    """Row by row (Wagner and Fischer 1974)."""
    row = list(range(len(two) + 1))
    for i, letter in enumerate(one, 1):
        corner, row[0] = row[0], i
        for j, other in enumerate(two, 1):
            corner, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, corner + (letter != other))
    return row[-1]


# -------------------------------------------------------------------------------------------------------- the receipts


def receipt(rng: random.Random, *, items: int) -> dict[str, Any]:
    """Items of three or four fields, one with sub-items, and totals."""
    menu = [_item(rng) for _ in range(items)]
    menu[0]["sub"] = [{"nm": _name(rng), "price": _price(rng)} for _ in range(2)]
    total = {name: _price(rng) for name in ("total_price", "cashprice", "changeprice")}
    return {"menu": menu, "sub_total": {"subtotal_price": _price(rng), "tax_price": _price(rng)}, "total": total}


def receipt_of(rng: random.Random, *, fields: int) -> dict[str, Any]:
    """A receipt with so many fields, near the end without some."""
    made = receipt(rng, items=fields // 3)
    while (over := paths(normalise(made)).total() - fields) > 0:
        if over >= len(made["menu"][-1]):
            made["menu"].pop()
        else:
            made["menu"][-1].popitem()
    return made


def misread(rng: random.Random, truth: dict[str, Any]) -> dict[str, Any]:
    """What a fair model says of it: some letters wrong, some fields and an item missing."""
    menu = [{key: _misread(rng, value) for key, value in item.items() if rng.random() < 0.95} for item in truth["menu"]]
    del menu[rng.randrange(len(menu))]
    return {**truth, "menu": menu}


def _misread(rng: random.Random, value: Any) -> Any:
    if not isinstance(value, str) or rng.random() < 0.8:
        return value
    at = rng.randrange(len(value))
    return value[:at] + rng.choice("0158OIBS") + value[at + 1 :]


def _item(rng: random.Random) -> dict[str, Any]:
    item = {"nm": _name(rng), "cnt": f"{rng.randint(1, 9)} x", "price": _price(rng)}
    return item | {"unitprice": f"@{_price(rng)}"} if rng.random() < 0.5 else item


def _name(rng: random.Random) -> str:
    return " ".join(rng.choices(WORDS, k=rng.randint(1, 4)))


def _price(rng: random.Random) -> str:
    return f"{rng.randint(1, 400)},{rng.choice(('000', '500'))}"


# -------------------------------------------------------------------------------------------------------- measurements


def timed(work: Callable[[Any, Any], Any], pair: tuple[Any, Any]) -> tuple[float, Any]:
    """Seconds, and what came out."""
    began = time.perf_counter()
    found = work(*pair)
    return time.perf_counter() - began, found


def beside(pairs: list[tuple[Any, Any]]) -> tuple[list[list[str]], list[str]]:
    """The rows of the table, and the pairs for which the two values differ."""
    ours, theirs, wrong = [], [], []
    metric = JsonTree()
    metric.score(*pairs[0])
    for number, pair in enumerate(pairs):
        spent, score = timed(metric.score, pair)
        ours.append(spent)
        spent, value = timed(donut, pair)
        theirs.append(spent)
        if score.value != value:
            wrong.append(f"receipt {number}: ours {score.value}, the reference {value}")
    ratio = estimate([b / a for a, b in zip(ours, theirs, strict=True)])
    return [_row("json_tree", ours, "1"), _row("zss, as Donut", theirs, within(ratio, times))], wrong


def _row(name: str, spent: list[float], ratio: str) -> list[str]:
    found: Estimate = estimate(spent)
    return [name, str(len(spent)), within(found, seconds), seconds(max(spent)), ratio]


def main() -> None:
    """Measures, prints, and writes the page where it is asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, help="the page to write")
    path = parser.parse_args().write
    rng = random.Random(SEED)
    truths = [receipt_of(rng, fields=FIELDS) for _ in range(RECEIPTS)]
    rows, wrong = beside([(misread(rng, truth), truth) for truth in truths])
    large = [(misread(rng, truth), truth) for truth in (receipt(rng, items=ITEMS) for _ in range(LARGE))]
    metrics = {"json_tree": JsonTree(), "item_f1": ItemF1(), "field_f1": FieldF1(field="")}
    alone = [_row(name, [timed(m.score, pair)[0] for pair in large], "")[:-1] for name, m in metrics.items()]
    text = "\n\n".join(
        [
            "# Grading receipts",
            ground(),
            f"Receipts of {FIELDS} fields, to both in turn; in brackets 95 % intervals of a bootstrap over receipts.",
            table(["accuracy by", "receipts", "median", "slowest", "times ours"], rows),
            f"Receipts of {ITEMS} items.",
            table(["metric", "receipts", "median", "slowest"], alone),
        ]
    )
    console = Console(soft_wrap=True)
    for line in (text, *wrong):
        console.print(line, markup=False, highlight=False)
    if path is not None:
        path.write_text(text + "\n", encoding="utf-8")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
