"""Check which tasks a run or an evaluation selects."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from circuitvlm.runtime.config.check import ConfigError
from circuitvlm.training.task_selection import select_tasks

TASKS: dict[str, Any] = {
    "netlist": SimpleNamespace(kind="netlist"),
    "measurement": SimpleNamespace(kind="measurement", answer_mode="direct"),
    "measurement_executed": SimpleNamespace(kind="measurement", answer_mode="executed"),
    "transfer_function": SimpleNamespace(kind="transfer_function", answer_mode="direct"),
    "choice": SimpleNamespace(kind="choice"),
}


@pytest.mark.parametrize(
    ("answer_mode", "task_type", "wanted"),
    [
        ("both", None, list(TASKS)),
        ("both", "both", list(TASKS)),
        ("direct", None, ["netlist", "measurement", "transfer_function", "choice"]),
        ("executed", None, ["netlist", "measurement_executed", "choice"]),
        ("both", "equations", ["transfer_function"]),
        ("both", "qa", ["measurement", "measurement_executed", "choice"]),
        ("executed", "qa", ["measurement_executed", "choice"]),
    ],
)
def test_tasks_are_chosen_by_how_and_what_they_ask(answer_mode: str, task_type: str | None, wanted: list[str]) -> None:
    assert list(select_tasks(TASKS, answer_mode=answer_mode, task_type=task_type)) == wanted


def test_other_words_and_nothing_left_are_told() -> None:
    with pytest.raises(ConfigError, match=r"answer_mode: expected one of .*, got 'dirct'.*Did you mean 'direct'"):
        select_tasks(TASKS, answer_mode="dirct", task_type=None)
    with pytest.raises(ConfigError, match=r"task_type: expected one of .*, got 'equation'"):
        select_tasks(TASKS, answer_mode="both", task_type="equation")
    with pytest.raises(ConfigError, match="expected a task of choice, got none"):
        select_tasks({"choice": TASKS["choice"]}, answer_mode="both", task_type="equations")
