"""Check that a stopped and resumed run ends with the same weights, and that a finished run does nothing."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from circuitvlm.runtime.folders import run_folder as folders
from circuitvlm.runtime.folders.outcome import VALIDATIONS_FILE
from circuitvlm.training.checkpoint import storage
from tests.training.stopping import Ended, Moment, Starter

RUN = [
    "experiment=tiny_circuits", "model=qwen2_vl_new",
    "model.shape={hidden: 64, layers: 2, heads: 2, kv_heads: 2, intermediate: 128, vision_hidden: 64, vision_layers: 2,"
    " vision_heads: 2, patch: 14, min_pixels: 3136, max_pixels: 37632}",
    "quantization=none", "precision=32-true", "max_steps=6", "global_batch_size=8", "micro_batch_size=2",
    "validate_every_n_steps=3",
    "validate_items=4", "eval_batch_size=4", "checkpoint_every_n_steps=2", "dropout=constant", "eval_splits=[]",
    "baselines=null",
    "num_workers=0", "logger={}", "log_every_n_steps=1", "callback.pictures=null", "callback.learning_rate=null",
    "data.circuits.num_workers=0", "data.circuits.splits.train.count=24", "data.circuits.splits.validation.count=4",
]  # fmt: skip
"""Two epochs of three steps, of four micro-batches on one process and two on two, with dropout."""
DDP = ["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2"]
STOPPED = 143


def same(run: Path, other: Path) -> bool:
    """Whether two runs have the same adapter, to the last bit."""
    one, two = (load_file(folder / "adapter" / "adapter_model.safetensors") for folder in (run, other))
    return one.keys() == two.keys() and all(torch.equal(one[key], two[key]) for key in one)


@dataclass
class Desk:
    """Starts runs in folders of one home, one after the other."""

    starter: Starter
    home: Path

    def run(self, name: str, *words: str, processes: int = 1, moment: Moment | None = None) -> Ended:
        given = [*RUN, *(DDP if processes > 1 else ()), *words, f"folder={self.home / name}"]
        return self.starter.run(given, cache=self.home / "cache", processes=processes, moment=moment)

    def whole(self, name: str, *words: str, processes: int = 1) -> Ended:
        ended = self.run(name, *words, processes=processes)
        assert ended.statuses == [0] * processes, ended.said[-4000:]
        assert folders.read_state(self.home / name) == "finished"
        return ended

    def stopped(self, name: str, moment: Moment, *words: str, processes: int = 1, status: int) -> Ended:
        ended = self.run(name, *words, processes=processes, moment=moment)
        assert ended.statuses[moment.rank] == status, ended.said[-4000:]
        assert folders.read_state(self.home / name) == "started"
        return ended

    def same(self, name: str, other: str) -> bool:
        return same(self.home / name, self.home / other)

    def steps(self, name: str) -> list[int]:
        return [one.step for one in storage.list_checkpoints(self.home / name)]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    home = tmp_path_factory.mktemp("resume")
    with Starter() as starter:
        made = Desk(starter, home)
        made.whole("whole")
        yield made


@pytest.fixture(scope="module")
def two(desk: Desk) -> Desk:
    desk.whole("two", processes=2)
    return desk


def test_a_run_that_is_stopped_again_and_again_ends_with_the_same_weights(desk: Desk) -> None:
    desk.stopped("one", Moment(place="micro_batch", call=14), "num_workers=1", status=-9)
    assert desk.steps("one") == [3, 2], "killed in step 4, in the middle of a window"
    desk.stopped("one", Moment(place="written"), "num_workers=1", status=-9)
    assert desk.steps("one") == [3, 2], "killed with step 4 written and not renamed"
    said = desk.stopped("one", Moment(place="micro_batch", call=5, how="SIGTERM"), "num_workers=1", status=STOPPED).said
    assert desk.steps("one") == [5, 4], "the step in which it was asked to end is the last one"
    assert "saved at step 5, exit status 143; the same command resumes it" in said
    damaged = storage.list_checkpoints(desk.home / "one")[0].state_path
    damaged.write_bytes(damaged.read_bytes()[:5000])
    said = desk.whole("one", "num_workers=1").said
    assert "step-00000005 is damaged" in said
    assert "resuming from step 4" in said
    assert desk.same("one", "whole")


BEST = ["checkpoint_best=validate/loss", "eval_batch_size=1", "validate_every_n_steps=2"]
"""Three validations of four batches each, and the adapter of the best one."""


@pytest.mark.parametrize("how", ["SIGKILL", "SIGTERM"])
def test_a_validation_that_was_stopped_is_repeated_whole(desk: Desk, how: str) -> None:
    if not (desk.home / "best").exists():
        desk.whole("best", *BEST)
    name = f"validating_{how}"
    desk.stopped(name, Moment(place="validation", call=6, how=how), *BEST, status=STOPPED if how == "SIGTERM" else -9)
    desk.stopped(name, Moment(place="validation", call=3, how=how), *BEST, status=STOPPED if how == "SIGTERM" else -9)
    for call in (7, 2):  # twice in the last validation, after which no step is left
        moment = Moment(place="validation", call=call, how=how)
        desk.stopped(name, moment, *BEST, status=STOPPED if how == "SIGTERM" else -9)
    desk.whole(name, *BEST)
    assert desk.same(name, "best")
    for file in (VALIDATIONS_FILE, "adapter_best/adapter_model.safetensors"):
        assert (desk.home / name / file).read_bytes() == (desk.home / "best" / file).read_bytes(), file


def test_two_processes_go_on_together_and_one_goes_on_alone(two: Desk) -> None:
    two.stopped("pair", Moment(place="micro_batch", call=9, rank=1), processes=2, status=-9)
    assert two.steps("pair") == [4, 3]
    shutil.copytree(two.home / "pair", two.home / "alone")
    two.whole("pair", processes=2)
    assert two.same("pair", "two")
    said = two.whole("alone").said
    assert "step 4: 1 processes resume a run of 2. The samples and their order are the same" in said
    assert not two.same("alone", "two"), "dropout is another on one process, and with it the weights"


def test_a_gradient_that_is_no_number_on_one_rank_stops_both_before_the_step(two: Desk) -> None:
    moment = Moment(place="micro_batch", call=5, how="nan", rank=1)
    ended = two.stopped("gradient", moment, processes=2, status=1)
    assert ended.statuses == [1, 1], ended.said[-4000:]
    assert "step 2: expected a finite gradient, got others of" in ended.said
    assert two.steps("gradient") == [2]
    two.whole("gradient", processes=2)
    assert two.same("gradient", "two")


def test_the_weights_do_not_depend_on_the_loaders_workers(desk: Desk) -> None:
    """One worker is what the run has that is stopped again and again."""
    desk.whole("workers", "num_workers=2")
    assert desk.same("workers", "whole")


def test_a_finished_run_does_nothing_and_is_not_overwritten_by_another(desk: Desk) -> None:
    folder = desk.home / "whole"
    files = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    assert "this run is finished; overwrite=true starts it again" in desk.whole("whole").said
    other = desk.run("whole", "seed=1")
    assert other.statuses == [2]
    assert "expected the settings of the run in this folder" in other.said
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()} == files


def test_fresh_begins_again_in_the_place_of_another(desk: Desk) -> None:
    desk.whole("workers", "max_steps=1", "seed=1", "overwrite=true")
    assert folders.read_config(desk.home / "workers")["seed"] == 1
    assert desk.steps("workers") == [1]


def test_it_is_written_down_where_a_run_and_its_adapter_came_from(desk: Desk) -> None:
    run = desk.home / "whole"
    for folder in (run, run / "adapter"):
        found = json.loads((folder / "provenance.json").read_text())
        assert {"commit", "dirty", "versions", "time"} <= found.keys()
        assert ("max_steps=6" in found.get("command", ())) == (folder == run), "an adapter is given away"
        assert found["data"]["train"]["circuits"]["examples"] == 24
        assert len(found["data"]["validation"]["circuits"]["sha256"]) == 64
        assert folders.read_config(folder)["max_steps"] == 6


PLACES = ("micro_batch", "micro_batch", "validation", "written", "renamed", "adapter")


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_random_stops_cost_no_bit(processes: int, two: Desk) -> None:
    """Twelve each, on a random rank and at random places; whatever way the process ends."""
    draw, stops, number = random.Random(processes), 0, 0
    while stops < 12 or folders.read_state(two.home / f"random{processes}-{number}") == "started":
        moment = Moment(
            place=draw.choice(PLACES),
            call=draw.randint(1, 12),
            how=draw.choice(("SIGKILL", "SIGKILL", "SIGTERM", "error")),
            rank=draw.randrange(processes),
        )
        name = f"random{processes}-{number}"
        two.run(name, processes=processes, moment=moment if stops < 12 else None)
        if folders.read_state(two.home / name) == "finished":
            assert two.same(name, "whole" if processes == 1 else "two")
            number += 1
        else:
            stops += 1


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_kills_at_random_times_cost_no_bit(processes: int, two: Desk) -> None:
    draw, stops, name = random.Random(7), 0, f"timed{processes}"
    began = time.monotonic()
    two.whole(f"clock{processes}", processes=processes)
    whole = time.monotonic() - began
    for _ in range(8):  # in the first half of what a whole run takes, since each goes on from the one before
        two.run(name, processes=processes, moment=Moment(seconds=draw.uniform(0, whole / 2)))
        stops += folders.read_state(two.home / name) != "finished"
    two.whole(name, processes=processes)
    assert two.same(name, "whole" if processes == 1 else "two")
    assert stops >= 2


@pytest.fixture
def disk(desk: Desk) -> Iterator[Path]:
    """A file system of its own with room for one checkpoint and little more."""
    place = desk.home / "disk"
    place.mkdir()
    if os.geteuid() or not _mounted("-t", "tmpfs", "-o", "size=1600k", "tmpfs", str(place)):
        pytest.skip("a file system cannot be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def _mounted(*words: str) -> bool:
    return subprocess.run(["mount", *words], capture_output=True, check=False).returncode == 0


@pytest.mark.slow
def test_a_full_disk_stops_a_run_which_goes_on_when_there_is_room(desk: Desk, disk: Path) -> None:
    ended = desk.run("disk/run")
    assert ended.statuses == [2], ended.said[-4000:]
    assert "No space left on device" in ended.said
    assert "free disk space, then the same command resumes from step 2" in ended.said
    assert _mounted("-o", "remount,size=64m", str(disk))
    assert "resuming from step 2" in desk.whole("disk/run").said
    assert desk.same("disk/run", "whole")
