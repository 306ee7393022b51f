"""Check that a run that is killed in every phase, again and again, ends with the bits of one that was not."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from circuitvlm.runtime.folders import run_folder as folders
from circuitvlm.runtime.folders.outcome import VALIDATIONS_FILE
from tests.training.stopping import Ended, Moment, Starter
from tests.training.test_resume import DDP, RUN

WORDS = [
    *(word for word in RUN if not word.startswith("baselines")),
    "max_steps=4", "validate_every_n_steps=2", "validate_items=2", "eval_batch_size=1", "max_new_tokens=4",
    "eval_splits=[test_seen,test_style]", "eval_items=3", "checkpoint_best=validate/loss",
    "baselines={}", "baselines={other: ['seed=1']}",
    "data.circuits.splits.test_seen.count=4", "data.circuits.splits.test_style.count=4",
]  # fmt: skip
"""Two validations, two graded splits, and a baseline that is trained too, in a process of its own."""

PHASES = {
    "drawing": Moment(place="drawing"),
    "training": Moment(place="micro_batch"),
    "writing a checkpoint": Moment(place="written"),
    "validating": Moment(place="validation"),
    "saving the adapter": Moment(place="adapter"),
    "replying": Moment(place="reply"),
    "grading": Moment(place="grading"),
    "starting the baseline": Moment(file="baselines/other/config.yaml"),
    "in the baseline": Moment(file="baselines/other/checkpoints/step-*"),
    "reporting": Moment(place="report"),
}
"""In the order in which a run comes through them. Each kill is later in the run than the one before."""

CALLS = {"drawing": 12, "micro_batch": 4, "validation": 2, "reply": 3, "grading": 2}
"""The largest number of calls of a place after which a run may be killed there; once elsewhere."""

ON_RANK_0 = ("drawing", "written", "report")
"""The places that other ranks may not come through."""


@pytest.fixture(scope="module")
def starter() -> Iterator[Starter]:
    with Starter() as server:
        yield server


def start(starter: Starter, folder: Path, *, processes: int, moment: Moment | None = None) -> Ended:
    """Start the run with a cache of its own, so that it draws its images."""
    words = [*WORDS, *(DDP if processes > 1 else ()), f"folder={folder}"]
    return starter.run(words, cache=folder.parent / f"{folder.name}_cache", processes=processes, moment=moment)


def result(folder: Path) -> dict[str, Any]:
    """The bytes of everything that a run computes, without the minutes that it took."""
    patterns = (
        *("adapter*/*.safetensors", "replies/*/*", "breakdown.md", VALIDATIONS_FILE),
        *("baselines/*/adapter*/*.safetensors", "baselines/*/replies/*/*"),
    )
    paths = [path for pattern in patterns for path in folder.glob(pattern)]
    cache = folder.with_name(f"{folder.name}_cache")
    drawings = list(cache.rglob("images/*/*.png"))  # those of a killed process are removed an hour later
    files: dict[str, Any] = {str(path.relative_to(folder.parent / folder.name)): path.read_bytes() for path in paths}
    files["drawings"] = sorted((path.name, path.read_bytes()) for path in drawings)
    files["finished"] = json.loads((folder / folders.FINISHED_FILE).read_text())
    return files


@pytest.fixture(scope="module")
def whole(starter: Starter, tmp_path_factory: pytest.TempPathFactory) -> dict[int, dict[str, Any]]:
    """The result of a run that was not killed, by its number of processes."""
    results = {}
    for processes in (1, 2):
        folder = tmp_path_factory.mktemp("whole") / f"run{processes}"
        ended = start(starter, folder, processes=processes)
        assert ended.statuses == [0] * processes, ended.said[-4000:]
        results[processes] = result(folder)
    return results


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_run_that_is_killed_in_every_phase_ends_with_the_same_bits(
    processes: int, number: int, starter: Starter, whole: dict[int, dict[str, Any]], tmp_path: Path
) -> None:
    draw, folder = random.Random(10 * processes + number), tmp_path / "run"
    for phase, moment in PHASES.items():
        changes = {
            "call": draw.randint(1, CALLS.get(moment.place, 1)),
            "how": draw.choice(("SIGKILL", "SIGKILL", "SIGTERM", "SIGINT")),
            "rank": 0 if moment.place in ON_RANK_0 else draw.randrange(processes),
            "file": moment.file and str(folder / moment.file),
        }
        ended = start(starter, folder, processes=processes, moment=replace(moment, **changes))
        assert any(ended.statuses), f"{phase} was not reached: {changes}"
        assert folders.read_state(folder) != "finished", f"{phase}: {changes}"
    ended = start(starter, folder, processes=processes)
    assert ended.statuses == [0] * processes, ended.said[-4000:]
    expected = whole[processes]
    files = result(folder)
    assert files.keys() == expected.keys()
    assert [name for name in expected if files[name] != expected[name]] == []
