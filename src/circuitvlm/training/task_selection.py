"""Select the tasks of a run or an evaluation."""

from __future__ import annotations

from collections.abc import Mapping

from circuitvlm.core.contract import Task
from circuitvlm.runtime.config.check import ConfigError
from circuitvlm.runtime.spelling import suggestion

ANSWER_MODES = ("direct", "executed", "both")
TASK_TYPES: Mapping[str, frozenset[str] | None] = {
    "equations": frozenset({"transfer_function", "equation"}),
    "qa": frozenset({"measurement", "impedance", "number", "choice", "perception", "open"}),
    "both": None,
}
"""The kinds of tasks of each `task_type` of an evaluation; None stands for all kinds."""


def select_tasks(tasks: Mapping[str, Task], *, answer_mode: str, task_type: str | None) -> dict[str, Task]:
    """The tasks of an answer mode and a task type. Raises ConfigError for unknown values, and if no task remains."""
    task_type = task_type or "both"
    for key, value, choices in (("answer_mode", answer_mode, ANSWER_MODES), ("task_type", task_type, TASK_TYPES)):
        if value not in choices:
            raise ConfigError(
                [f"{key}: expected one of {', '.join(choices)}, got {value!r}.{suggestion(value, choices)}"]
            )
    kinds = TASK_TYPES[task_type]
    selection = {
        name: task
        for name, task in tasks.items()
        if answer_mode in ("both", getattr(task, "answer_mode", answer_mode))
        and (kinds is None or getattr(task, "kind", "") in kinds)
    }
    if not selection:
        raise ConfigError(
            [f"answer_mode={answer_mode}, task_type={task_type}: expected a task of {', '.join(tasks)}, got none"]
        )
    return selection
