"""Check that a killed run resumes to the same bits under every strategy that splits its state (minutes)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from circuitvlm.runtime.folders import run_folder as folders
from circuitvlm.training.checkpoint import storage
from tests.training.stopping import Moment, Starter
from tests.training.test_resume import RUN, same

STRATEGIES = (
    *("fsdp2", "deepspeed_zero1", "deepspeed_zero2", "deepspeed_zero3"),
    *("deepspeed_zero1_offload", "deepspeed_zero2_offload", "deepspeed_zero3_offload"),
)
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def starter() -> Iterator[Starter]:
    with Starter() as made:
        yield made


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_killed_run_goes_on_to_the_same_bits(strategy: str, starter: Starter, tmp_path: Path) -> None:
    """Killed on rank 1 in the fifth step, in the middle of its window."""
    if strategy.startswith("deepspeed"):
        pytest.importorskip("deepspeed")
    given = [*RUN, f"trainer={strategy}", "trainer.accelerator=cpu", "trainer.devices=2"]

    def run(name: str, *, moment: Moment | None = None) -> str:
        words = [*given, f"folder={tmp_path / name}"]
        ended = starter.run(words, cache=tmp_path / "cache", processes=2, moment=moment)
        assert (ended.statuses == [0, 0]) == (moment is None), ended.said[-4000:]
        return ended.said

    run("whole")
    run("killed", moment=Moment(place="micro_batch", call=9, rank=1))
    assert folders.read_state(tmp_path / "killed") == "started"
    assert [one.step for one in storage.list_checkpoints(tmp_path / "killed")] == [4, 3]
    assert "resuming from step 4" in run("killed")
    assert same(tmp_path / "killed", tmp_path / "whole")
