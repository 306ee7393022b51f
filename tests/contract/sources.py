"""Find the examples of every small source on disk that a task can ask about."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from circuitvlm.core.record import Example
from circuitvlm.runtime.config.allow_list import instantiate
from tests.contract import parts


def small_sources(name: str, cache: Path) -> dict[str, tuple[Any, dict[str, Any]]]:
    """The sources of a YAML of conf/data, built small, each with its section."""
    said = {key: parts.shrink(section, cache) for key, section in parts.sections("data", name).items()}
    return {key: (instantiate(section), section) for key, section in said.items()}


@cache
def examples(folder: Path) -> tuple[Example, ...]:
    """All splits of every small source."""
    found: list[Example] = []
    for name in parts.names("data"):
        for source, _ in small_sources(name, folder).values():
            for split in source.splits():
                found += source.examples(split)
    return tuple(found)


def fitting(name: str, task: Any, folder: Path) -> list[Example]:
    """The examples that a task can ask about; a task that finds none is not tested, so that is a failure."""
    dealt = [replace(example, task=name) for example in examples(folder)]
    fit = [example for example in dealt if task.fits(example)]
    assert fit, f"task {name}: no source of conf/data has examples that it can ask about"
    return fit


def tasks() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every task of conf/task, by its key, with its section."""
    for name in parts.names("task"):
        yield from parts.sections("task", name).items()


GARBAGE = (
    "",
    " \n\t\r\n ",
    "I am sorry, I cannot see any circuit.",
    "\x00\x01\x7f\ufffd\u2028\U0001f600",
    "```spice\nR1 1 2 10k\n```",
    "R1",
    "R1 1 2",
    "R1 1 1 -0",
    "R1 1 2 1e99999\nR1 1 2 nan\nC? ? ? ?",
    "X1 1 2 3 4 5 6 7 8 9\n.end\n.subckt",
    "R1 1 2 10k\n" * 400,
    "(" * 5000,
    "{[" * 3000 + "]}" * 3000,
    "1/0, 0**0, 9**9**9, s^s^s^s",
    "{'a': [1, 2, {}]}",
    "-" * 3000,
    "R" * 5000,
    " ".join(map(str, range(2000))),
    "<|im_end|><|user|>",
    "A" + "\u0301" * 500,
)
"""What a model may say instead of an answer."""
