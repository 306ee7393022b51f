"""Test the tables by tag, the comparison of direct with executed answers, and the comparison of systems."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuitvlm.report.breakdown import breakdown, side_by_side
from circuitvlm.report.grade import Grades, Item
from circuitvlm.report.significance import mean, paired_gain, wilson
from circuitvlm.report.table import comparison, percent


def item(name: str, task: str = "netlist", tags: Mapping[str, str] | None = None, **scores: float) -> Item:
    return Item(id=name, task=task, tags=tags or {}, reply="said", wanted="meant", scores=scores)


def grades(*items: Item) -> Grades:
    return Grades(items)


def rows(text: str) -> list[list[str]]:
    """The cells of every table's rows, heads included."""
    lines = [line for line in text.splitlines() if line.startswith("|") and "---" not in line]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


# by tag ---------------------------------------------------------------------------------------------------------------


def test_each_value_of_a_tag_has_a_row_of_its_own_items() -> None:
    items = [
        item(str(k), tags={"style": "iec" if k % 3 else "paper"}, topology=k % 2, pin_f1=k / 10) for k in range(10)
    ]
    text = breakdown({"test": grades(*items)}, tags=["style"])
    assert text.startswith("## test: netlist, % with 95 % interval\n\n| style | n | topology | pin_f1 |\n| --- |")
    assert text.endswith("|\n")
    iec, paper = ([m for m in items if m.tags["style"] == name] for name in ("iec", "paper"))
    assert rows(text) == [
        ["style", "n", "topology", "pin_f1"],
        *(
            [name, str(len(part)), *(percent(mean([m.scores[s] for m in part])) for s in ("topology", "pin_f1"))]
            for name, part in (("iec", iec), ("paper", paper))
        ),
    ]
    assert percent(wilson(3, 6)) in text


def test_sizes_are_sorted_as_numbers_before_other_values() -> None:
    sizes = ["10", "9", "unstated", "2", "0.5", "nan", "a"]
    text = breakdown(
        {"test": grades(*(item(s, tags={"components": s}, topology=1) for s in sizes))}, tags=["components"]
    )
    assert [cells[0] for cells in rows(text)[1:]] == ["0.5", "2", "9", "10", "a", "nan", "unstated"]


@pytest.mark.parametrize(("values", "has_table"), [(1, False), (2, True), (20, True), (21, False)])
def test_only_a_tag_that_groups_has_a_table(values: int, has_table: bool) -> None:
    items = [item(str(k), tags={"family": f"f{k % values}"}, topology=1) for k in range(42)]
    assert (
        breakdown({"test": grades(*items)}, tags=["family", "family", "level"]).count("| family |") == 1
    ) is has_table


def test_values_count_within_their_split_and_task() -> None:
    of_splits = {
        "one": grades(item("a", tags={"kind": "x"}, topology=1), item("b", "choice", {"kind": "y"}, exact=0)),
        "two": grades(item("c", tags={"kind": "x"}, topology=1), item("d", tags={"kind": "y"}, topology=0)),
    }
    text = breakdown(of_splits, tags=["kind"])
    assert re.findall("## (.*), %", text) == ["two: netlist"]
    assert [cells[:2] for cells in rows(text)] == [["kind", "n"], ["x", "1"], ["y", "1"]]
    assert breakdown({"one": of_splits["one"]}, tags=["kind"]) == breakdown({}, tags=["kind"]) == ""


def test_items_without_the_tag_are_counted_last() -> None:
    items = [
        item("a", tags={"level": "2"}, topology=1),
        item("b", tags={"level": "1"}, topology=1),
        item("c", topology=0),
    ]
    text = breakdown({"test": grades(*items)}, tags=["level"])
    assert [cells[:2] for cells in rows(text)[1:]] == [["1", "1"], ["2", "1"], ["–", "1"]]


@given(st.lists(st.text(), min_size=2, max_size=20, unique=True))
@settings(max_examples=100)
def test_whatever_a_tag_says_is_one_cell(values: list[str]) -> None:
    tagged_grades = grades(*(item(str(k), tags={"part": value}, topology=1) for k, value in enumerate(values)))
    lines = breakdown({"test": tagged_grades}, tags=["part"]).split("\n")
    assert all(line.startswith(("| ", "##")) or not line for line in lines)
    table = rows("\n".join(lines))
    assert {len(cells) for cells in table} == {3}
    assert sum(int(cells[1]) for cells in table[1:]) == len(values)


# direct and executed --------------------------------------------------------------------------------------------------

DIRECT_SCORES = [0.0, 1.0, 0.0, 1.0, 0.0, 0.0]
EXECUTED_SCORES = [1.0, 1.0, 0.0, 1.0, 1.0, 1.0]


def both_ways() -> list[Item]:
    direct_items = [item(f"a#{k}#measurement", "measurement", correct=d, unit=1) for k, d in enumerate(DIRECT_SCORES)]
    executed_items = [
        item(f"a#{k}#measurement_executed", "measurement_executed", correct=e) for k, e in enumerate(EXECUTED_SCORES)
    ]
    return [*direct_items, *reversed(executed_items)]


def test_direct_and_executed_answers_are_paired_by_question() -> None:
    more_items = [item("z#measurement", "measurement", correct=1, unit=1), item("y#choice", "choice", correct=1)]
    unpaired_item = item("x#measurement_executed", "measurement_executed", correct=0)
    text = side_by_side({"test": grades(*both_ways(), *more_items, unpaired_item), "other": grades(*more_items)})
    assert text.startswith("\n**test: direct and executed**")
    assert text.endswith("|\n")
    gain = percent(paired_gain(EXECUTED_SCORES, DIRECT_SCORES), sign="+")
    assert rows(text) == [
        ["task", "n", "direct", "executed", "executed − direct"],
        ["measurement/correct", "6", percent(wilson(2, 6)), percent(wilson(5, 6)), gain],
    ]
    assert gain.startswith("+50.0 [")


def weighted_item(name: str, task: str, score: float, weight: float, **tags: str) -> Item:
    return replace(item(f"{name}#{task}", task, tags, f1=score), weights={"f1": weight})


def test_scores_that_weigh_are_a_ratio_of_sums_in_both_tables() -> None:
    direct_items = [weighted_item("a", "m", 1.0, 9.0, kind="x"), weighted_item("b", "m", 0.0, 1.0, kind="x")]
    direct_items.append(weighted_item("c", "m", 1.0, 0.0, kind="y"))
    executed_items = [weighted_item(name, "m_executed", score, weight) for name, score, weight in
                (("a", 0.5, 10.0), ("b", 1.0, 10.0), ("c", 1.0, 0.0))]  # fmt: skip
    cells = [cell.split()[0] for cell in rows(side_by_side({"test": grades(*direct_items, *executed_items)}))[1]]
    assert cells == ["m/f1", "3", "90.0", "75.0", "-15.0"]
    table = rows(breakdown({"test": grades(*direct_items)}, tags=["kind"]))
    assert [[cell.split()[0] for cell in line] for line in table[1:]] == [["x", "2", "90.0"], ["y", "1", "–"]]


def test_a_gain_over_what_nobody_said_is_none() -> None:
    two_ways = grades(weighted_item("a", "m", 1.0, 0.0), weighted_item("a", "m_executed", 0.0, 2.0))
    assert rows(side_by_side({"test": two_ways}))[1] == ["m/f1", "1", "–", percent(wilson(0, 1)), "–"]


def test_each_split_and_each_task_has_its_own_pairs() -> None:
    more_items = [
        item("q#impedance", "impedance", strict=1),
        item("q#impedance_executed", "impedance_executed", strict=0),
    ]
    text = side_by_side({"one": grades(*both_ways(), *more_items), "two": grades(*more_items)})
    assert text.count("**") == 4
    assert [cells[:2] for cells in rows(text) if cells[0] != "task"] == [
        ["measurement/correct", "6"],
        ["impedance/strict", "1"],
        ["impedance/strict", "1"],
    ]


def test_without_a_pair_there_is_no_table() -> None:
    apart = [
        item("a#measurement", "measurement", correct=1),
        item("b#measurement_executed", "measurement_executed", correct=1),
    ]
    assert side_by_side({"test": grades(*apart)}) == side_by_side({"test": grades()}) == side_by_side({}) == ""
    unlike = [item("a#m", "m", correct=1), item("a#m_executed", "m_executed", strict=1)]
    assert side_by_side({"test": grades(*unlike)}) == ""


# the comparison of systems --------------------------------------------------------------------------------------------


def test_a_metric_without_items_in_a_split_says_so() -> None:
    netlists = grades(item("a", topology=1), item("b", topology=0))
    choices = grades(item("c", "choice", exact=1))
    text = comparison(
        {"this": {"one": netlists, "two": choices}, "plain": {"one": netlists, "two": choices}}, notes={"this": "5 min"}
    )
    assert "| one (n=2) | two (n=0) |" in text
    assert f"| this | {percent(wilson(1, 2))} | – | 5 min |" in text
    assert "| *this − plain* | +0.0 [+0.0, +0.0] | – | paired, points |" in text
    assert f"| this | – | {percent(wilson(1, 1))} | 5 min |" in text


def test_a_metric_that_only_one_system_has_is_no_gain() -> None:
    new, old = grades(item("a", topology=1, electrical=1)), grades(item("a", topology=0))
    text = comparison({"this": {"test": new}, "older": {"test": old}}, notes={})
    table = text.partition("**netlist/electrical**")[2]
    assert rows(table) == [
        ["", "test (n=1)", "training"],
        ["this", percent(wilson(1, 1)), ""],
        ["older", "–", ""],
        ["*this − older*", "–", "paired, points"],
    ]


def test_systems_that_answered_other_items_are_refused() -> None:
    with pytest.raises(ValueError, match=r"same items of 'test'.*other items in older than in this"):
        comparison({"this": {"test": grades(item("a", t=1))}, "older": {"test": grades(item("b", t=1))}}, notes={})
