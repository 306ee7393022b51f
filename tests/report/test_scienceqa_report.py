"""Test ScienceQA's groups, its official result file, and the audit of published rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circuitvlm.core.record import Reply
from circuitvlm.data.scienceqa import ScienceQA
from circuitvlm.metric.chosen import Chosen
from circuitvlm.report.grade import Grades, Item, grade
from circuitvlm.report.scienceqa import (
    CONTEXTS,
    GROUPS,
    TEST_SIZES,
    audit_row,
    group_scores,
    group_table,
    official_results,
)
from circuitvlm.report.significance import wilson
from circuitvlm.task.rationale import Rationale

FIXTURE = Path(__file__).parents[1] / "fixtures" / "scienceqa"
NAMES = tuple(GROUPS)


def task(**changes: Any) -> Rationale:
    settings: dict[str, Any] = {
        "format": "QCM-ALE", "cue": "Response:", "captions": False, "lavin_compat": False, "reading": "official",
    }  # fmt: skip
    return Rationale(metrics={"right": Chosen()}, **settings | changes)


def item(pid: str, reply: str = "The answer is A.", *, right: float = 1.0, **tags: str) -> Item:
    required_tags = {"pid": pid, "options": "3", "answer": "A", "has_hint": "no", "has_image": "no"}
    return Item(
        id=pid, task="rationale", tags={**required_tags, **tags}, reply=reply, wanted="", scores={"right": right}
    )


ITEMS = (
    item("1", subject="natural science", grade_band="1-6", has_hint="yes", topic="physics"),
    item("2", subject="natural science", grade_band="7-12", has_image="yes", right=0.0, topic="physics"),
    item("3", subject="social science", grade_band="1-6", has_hint="yes", has_image="yes", topic="maps"),
    item("4", subject="language science", grade_band="7-12", right=0.0, topic="a|b"),
)


def test_each_item_counts_in_its_groups() -> None:
    scores = group_scores(ITEMS, "right")
    assert {name: (sum(of_group), len(of_group)) for name, of_group in scores.items()} == {
        "NAT": (1, 2), "SOC": (1, 1), "LAN": (0, 1), "TXT": (2, 2), "IMG": (1, 2), "NO": (0, 1),
        "G1-6": (2, 2), "G7-12": (0, 2), "Average": (2, 4),
    }  # fmt: skip


def test_the_table_has_a_row_of_counts_and_one_per_metric() -> None:
    lines = group_table({"test": Grades(ITEMS)}).splitlines()
    assert lines[0] == "## ScienceQA, test: rationale, % with 95 % interval"
    assert lines[2] == "|  | NAT | SOC | LAN | TXT | IMG | NO | G1-6 | G7-12 | Average |"
    assert lines[4] == "| n | 2 | 1 | 1 | 2 | 2 | 1 | 2 | 2 | 4 |"
    half = wilson(1, 2)
    assert lines[5].startswith(f"| right | 50.00 [{100 * half.low:.1f}, {100 * half.high:.1f}] | 100.00 [")
    assert "| language science | a\\|b | 1 | 0.00 [0.0, 79.3] |" in lines
    assert [line.split(" | ")[1] for line in lines[9:12]] == ["a\\|b", "physics", "maps"]


def test_other_questions_have_no_such_table() -> None:
    netlist = Item(id="x", task="netlist", tags={"kind": "netlist"}, reply="", wanted="", scores={"topology": 1.0})
    assert group_table({"test": Grades((netlist,))}) == ""
    assert official_results({"test": Grades((netlist,))}, tasks={}) == {}


def test_an_empty_group_says_nothing() -> None:
    assert "| right | 100.00 [20.7, 100.0] | – |" in group_table({"test": Grades((ITEMS[0],))})


REPLIES = {
    "1": "The answer is A. BECAUSE: It is.",
    "2": "The answer is B.",
    "3": "I cannot say.",
    "4": "The answer is D.",  # of three options
}


def test_the_official_file_has_an_index_for_each_pid() -> None:
    items = Grades(tuple(item(pid, reply) for pid, reply in REPLIES.items()))
    files = official_results({"test": items}, tasks={"rationale": task()})
    assert files == {
        "scienceqa_test_rationale": {
            "acc": 25.0,
            "correct": 1,
            "count": 4,
            "results": {"1": 0, "2": 1, "3": -1, "4": -1},
            "outputs": REPLIES,
        }
    }


def test_a_failed_answer_may_be_guessed_as_the_original_does() -> None:
    items = Grades(tuple(item(str(pid), "none") for pid in range(900)))
    files = official_results({"test": items}, tasks={"rationale": task()}, failure="random")
    (body,) = files.values()
    assert set(body["results"].values()) == {0, 1, 2}
    assert 27 < body["acc"] < 40
    assert files == official_results({"test": items}, tasks={"rationale": task()}, failure="random")
    with pytest.raises(ValueError, match="expected wrong or random, got 'expected'"):
        official_results({"test": items}, tasks={"rationale": task()}, failure="expected")


def test_replies_of_a_real_split_are_graded_by_pid() -> None:
    source = ScienceQA(
        root=str(FIXTURE), revision="main", splits={"test": {"pids": "test"}}, cache="",
        on_missing_image="stop", on_unusable="stop",
    )  # fmt: skip
    questions = [_as_question(example) for example in source.examples("test")]
    replies = {q.id: Reply(id=q.id, task=q.task, text=task().ask(q).reply) for q in questions}
    grades = {"test": grade(questions, replies, {"rationale": task()}, label="test")}
    (body,) = official_results(grades, tasks={"rationale": task()}).values()
    assert (body["acc"], body["correct"], body["count"]) == (100.0, 12, 12)
    assert list(body["results"]) == [example.id for example in source.examples("test")]
    assert len(group_scores(grades["test"].items, "right")["NAT"]) == 6


def _as_question(example: Any) -> Any:
    return replace(example, id=f"scienceqa/{example.id}#rationale", task="rationale")


# ------------------------------------------------------------------------------------------------------- published rows

GPT3 = "75.44 70.87 78.09 74.68 67.43 79.93 78.23 69.68 75.17"  # 3188 of 4241, as its stored result file says
PUBLISHED_ROWS = {
    "GPT-3 (CoT, ALE)": (GPT3, 3188),
    "UnifiedQA": ("68.16 69.18 74.91 63.78 61.38 77.84 72.98 65.00 70.12", 2974),
    "LLaMA-Adapter": ("84.37 88.30 84.36 83.72 80.32 86.90 85.83 84.05 85.19", 3613),
    "LLaVA": ("90.36 95.95 88.00 89.49 88.00 90.66 90.93 90.90 90.92", 3856),
}


def cells(text: str) -> dict[str, float | str]:
    return dict(zip(NAMES, text.split(), strict=True))


@pytest.mark.parametrize("name", PUBLISHED_ROWS)
def test_a_measured_row_is_possible_and_gives_its_total(name: str) -> None:
    text, total = PUBLISHED_ROWS[name]
    audit = audit_row(cells(text))
    assert (audit.faults, audit.totals) == ((), (total,))
    assert audit_row({key: float(cell) for key, cell in cells(text).items()}) == audit


def test_a_row_that_cannot_be_is_named() -> None:
    audit = audit_row(cells(GPT3) | {"LAN": "78.10"})
    assert audit.faults
    assert audit.counts["LAN"] == ()
    assert audit.faults == ("LAN: no count of 1100 is 78.10 % (859 are 78.09, 860 are 78.18)",)
    other_soc = audit_row(cells(GPT3) | {"SOC": f"{100 * 631 / 889:.2f}"})
    assert other_soc.faults == (
        "the numbers of right answers do not agree: subjects 3,189, grades 3,188, Average 3,188",
    )
    other_no = audit_row(cells(GPT3) | {"NO": f"{100 * 600 / 1435:.2f}"})
    assert other_no.faults == ("TXT, IMG and NO cannot have 3,188 right answers together",)


def test_fewer_decimals_allow_more_counts() -> None:
    assert audit_row({"NAT": "75.4"}).counts["NAT"] == (1697, 1698, 1699)
    assert audit_row({"NAT": 75.4}, decimals=1) == audit_row({"NAT": "75.4"})
    assert audit_row({"SOC": "100.00"}).counts["SOC"] == (889,)
    assert audit_row({"SOC": 0}).counts["SOC"] == (0,)


@pytest.mark.parametrize(("row", "message"), [({"nat": 1.0}, "got nat"), ({"NAT": "n/a"}, "expected a number")])
def test_what_is_no_row_is_refused(row: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        audit_row(row)


BOTH_SIZE = sum(TEST_SIZES[name] for name in CONTEXTS) - TEST_SIZES["Average"]


@given(st.data())
def test_every_row_that_was_counted_is_possible(data: st.DataObject) -> None:
    k = {name: data.draw(st.integers(0, TEST_SIZES[name]), label=name) for name in ("NAT", "SOC", "LAN")}
    total = sum(k.values())
    low = max(0, total - TEST_SIZES["G7-12"])
    k["G1-6"] = data.draw(st.integers(low, min(total, TEST_SIZES["G1-6"])))
    k["G7-12"], k["Average"] = total - k["G1-6"], total
    sizes = {
        "txt": TEST_SIZES["TXT"] - BOTH_SIZE,
        "img": TEST_SIZES["IMG"] - BOTH_SIZE,
        "no": TEST_SIZES["NO"],
        "both": BOTH_SIZE,
    }
    remaining_right, remaining_items, right = total, TEST_SIZES["Average"], {}
    for name, size in sizes.items():
        remaining_items -= size
        right[name] = data.draw(
            st.integers(max(0, remaining_right - remaining_items), min(size, remaining_right)), label=name
        )
        remaining_right -= right[name]
    k["TXT"], k["IMG"], k["NO"] = right["txt"] + right["both"], right["img"] + right["both"], right["no"]
    audit = audit_row({name: f"{100 * count / TEST_SIZES[name]:.2f}" for name, count in k.items()})
    assert not audit.faults
    assert total in audit.totals
    assert all(k[name] in audit.counts[name] for name in k)
