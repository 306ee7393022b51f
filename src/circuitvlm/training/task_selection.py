"""Which of its tasks does a run, or an evaluation, ask?"""

from __future__ import annotations

from collections.abc import Mapping

from circuitvlm.core.contract import Task
from circuitvlm.runtime.config.check import ConfigError
from circuitvlm.runtime.spelling import suggestion

ANSWERING = ("direct", "executed", "both")
TASK_TYPES: Mapping[str, frozenset[str] | None] = {
    "equations": frozenset({"transfer_function", "equation"}),
    "qa": frozenset({"measurement", "impedance", "number", "choice", "perception", "open"}),
    "both": None,
}
"""Which kinds of tasks an evaluation's `task_type` keeps; None keeps all."""


def chosen(tasks: Mapping[str, Task], *, answering: str, task_type: str | None) -> dict[str, Task]:
    """The tasks that are asked. Raises ConfigError for other words, and where none is left."""
    for key, said, words in (("answering", answering, ANSWERING), ("task_type", task_type or "both", TASK_TYPES)):
        if said not in words:
            raise ConfigError([f"{key}: came {said!r}, wanted one of {', '.join(words)}.{suggestion(said, words)}"])
    kinds = TASK_TYPES[task_type or "both"]
    kept = {
        name: task
        for name, task in tasks.items()
        if answering in ("both", getattr(task, "answering", answering))
        and (kinds is None or getattr(task, "kind", "") in kinds)
    }
    if not kept:
        raise ConfigError(
            [f"answering={answering}, task_type={task_type}: none of the tasks {', '.join(tasks)} is left"]
        )
    return kept
