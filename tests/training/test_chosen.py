"""Which tasks does a run or an evaluation ask?"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from circuitvlm.runtime.config.check import ConfigError
from circuitvlm.training.task_selection import chosen

TASKS: dict[str, Any] = {
    "netlist": SimpleNamespace(kind="netlist"),
    "measurement": SimpleNamespace(kind="measurement", answering="direct"),
    "measurement_executed": SimpleNamespace(kind="measurement", answering="executed"),
    "transfer_function": SimpleNamespace(kind="transfer_function", answering="direct"),
    "choice": SimpleNamespace(kind="choice"),
}


@pytest.mark.parametrize(
    ("answering", "task_type", "wanted"),
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
def test_tasks_are_chosen_by_how_and_what_they_ask(answering: str, task_type: str | None, wanted: list[str]) -> None:
    assert list(chosen(TASKS, answering=answering, task_type=task_type)) == wanted


def test_other_words_and_nothing_left_are_told() -> None:
    with pytest.raises(ConfigError, match=r"answering: came 'dirct'.*Did you mean 'direct'"):
        chosen(TASKS, answering="dirct", task_type=None)
    with pytest.raises(ConfigError, match="task_type: came 'equation'"):
        chosen(TASKS, answering="both", task_type="equation")
    with pytest.raises(ConfigError, match="none of the tasks choice is left"):
        chosen({"choice": TASKS["choice"]}, answering="both", task_type="equations")
