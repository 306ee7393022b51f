"""Check unreadable images: they stop a run by name, or are counted and left out of the loss, up to a limit."""

from __future__ import annotations

import csv
import json
import math
import multiprocessing
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import distributed

from circuitvlm.core.record import Example, Picture, PictureError
from circuitvlm.runtime import entry
from circuitvlm.runtime.config.check import ConfigError, check
from circuitvlm.runtime.config.compose import compose
from circuitvlm.runtime.errors import is_project_error
from circuitvlm.training.assemble import Run
from circuitvlm.training.batches.data_module import TRAIN, VALIDATION, PredictRequest
from circuitvlm.training.batches.unreadable_images import FILE
from circuitvlm.training.doctor.doctor import examine
from circuitvlm.training.doctor.text import Level
from tests.contract import parts
from tests.training.test_doctor import FAMILIES

COUNT = 8
SMALL = [
    "~experiment", "smoke_test=true", "trainer=cpu", "num_workers=0", "data.circuits.num_workers=0",
    "micro_batch_size=1",
    "global_batch_size=4", "precision=32-true", "validate_items=1", "logger=csv", "callback=[]", "log_every_n_steps=1",
    f"data.circuits.splits.train.count={COUNT}", "data.circuits.splits.validation.count=1",
    "data.circuits.splits.train.components=[2,3]", "data.circuits.splits.validation.components=[2,2]",
]  # fmt: skip


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


class Spoilt:
    """A source with a file of its own in the place of some of its training images."""

    def __init__(self, real: Any, *, folder: Path, names: Sequence[str]) -> None:
        self.real = real
        rows = list(real.examples(TRAIN))
        whole = rows[0].images[0].path.read_bytes()
        contents = {"cut.png": whole[: len(whole) // 2], "text.png": b"no picture\n", "empty.png": b""}
        self.bad = {}
        for place, name in zip((2, 3, 5, 6), names, strict=False):
            path = folder / name
            if name in contents:
                path.write_bytes(contents[name])
            rows[place] = replace(rows[place], images=(Picture(path),))
            self.bad[rows[place].id] = str(path)
        self.rows: list[Example] = rows

    def splits(self) -> tuple[str, ...]:
        return tuple(self.real.splits())

    def examples(self, split: str) -> Sequence[Example]:
        return self.rows if split == TRAIN else self.real.examples(split)


ALL = ("cut.png", "text.png", "empty.png", "gone.png")


@pytest.fixture
def made(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    """A run over eight pictures, those of `names` bad; where its model is, and the words of its command line."""
    monkeypatch.setenv("CIRCUITVLM_CACHE", str(cache))

    def make(*words: str, names: Sequence[str] = ALL, family: str = "projector") -> Run:
        given = sorted([*SMALL, f"model.cache={cache}", *FAMILIES[family]], key=lambda w: not w.startswith("model="))
        cfg = compose([*given, f"folder={tmp_path / 'run'}", *words], config_dir=parts.CONF)
        check(cfg)
        run = Run(cfg, base=cfg)
        run.folder.mkdir(exist_ok=True)
        run.cfg["max_steps"] = 2
        run.__dict__["sources"] = {"circuits": Spoilt(run.sources["circuits"], folder=tmp_path, names=names)}
        return run

    return make


def bad(run: Run) -> dict[str, str]:
    source: Any = run.sources["circuits"]
    return dict(source.bad)


@pytest.mark.parametrize("workers", [0, 2])
def test_bad_images_teach_nothing_and_move_no_other_sample(workers: int, made: Callable[..., Run]) -> None:
    run, whole = made("max_unreadable_images=4", f"num_workers={workers}"), made(names=())
    batches, wanted = list(run.data.train_dataloader()), list(whole.data.train_dataloader())
    assert [b.ids for b in batches] == [b.ids for b in wanted]
    taught = {b.ids[0]: b.labels_N.tolist() for b in batches}
    for batch in wanted:
        assert taught[batch.ids[0]] == ([] if batch.ids[0] in bad(run) else batch.labels_N.tolist())
    for window in (batches[:4], batches[4:]):
        assert {b.window_count for b in window} == {sum(b.labels_N.numel() for b in window)}
    found = json.loads((run.folder / FILE).read_text())
    assert len(found) == 4
    assert all(any(said.startswith(f"{path}: not a readable image") for said in found) for path in bad(run).values())


@pytest.mark.parametrize("name", ALL)
def test_without_a_word_the_first_bad_image_stops_the_run_by_name(name: str, made: Callable[..., Run]) -> None:
    run = made(names=[name])
    with pytest.raises(PictureError, match=rf"max_unreadable_images=0: .* got 1\..*{name}: not a readable image"):
        list(run.data.train_dataloader())
    assert name in (run.folder / FILE).read_text()


def test_one_more_than_allowed_stops_the_run_and_none_counts_twice(made: Callable[..., Run]) -> None:
    run = made("max_unreadable_images=3")
    with pytest.raises(PictureError, match=r"max_unreadable_images=3: .* got 4"):
        list(run.data.train_dataloader())
    run = made("max_unreadable_images=4")
    run.cfg["max_steps"] = 6  # three epochs
    assert len(list(run.data.train_dataloader())) == 24
    assert len(run.data.unreadable_images.messages) == 4


def test_a_resumed_run_counts_on(made: Callable[..., Run]) -> None:
    run = made("max_unreadable_images=4")
    list(run.data.train_dataloader())
    again = made("max_unreadable_images=4")
    again.data.load_state_dict({"trained": 1, "unread": list(run.data.unreadable_images.messages)})
    assert len(list(again.data.train_dataloader())) == 4
    assert again.data.unreadable_images.messages == run.data.unreadable_images.messages
    other = made("max_unreadable_images=1")
    other.data.load_state_dict({"trained": 0, "unread": ["elsewhere.png: not a readable image"]})
    with pytest.raises(PictureError, match=r"max_unreadable_images=1: .* got 3"):
        list(other.data.train_dataloader())


def test_a_run_trains_over_bad_images_and_says_so_and_resumes_from_its_checkpoint(
    made: Callable[..., Run], caplog: pytest.LogCaptureFixture
) -> None:
    run = made("max_unreadable_images=4", "checkpoint_every_n_steps=1", "validate_every_n_steps=2")
    run.train()
    assert caplog.text.count("its questions are left out of the training") == 4
    summary = run.summary()
    assert (summary["steps"], summary["unread_images"]) == (2, 4)
    assert all(torch.isfinite(p).all() for p in run.module.parameters())
    again = made("max_unreadable_images=4", "checkpoint_every_n_steps=1", "validate_every_n_steps=2")
    again.train()
    assert len(again.data.unreadable_images.messages) == 4


@pytest.mark.parametrize("family", FAMILIES)
def test_a_micro_batch_of_bad_images_alone_has_no_loss_and_moves_no_weight(
    family: str, made: Callable[..., Run]
) -> None:
    run = made("max_unreadable_images=4", "quantization=none", family=family)
    run.module.configure_model()
    assert run.module.net is not None
    batch = next(b for b in run.data.train_dataloader() if b.ids[0] in bad(run))
    tally = run.module.objective.tally(run.module.net(batch), batch)
    assert (tally.sum.item(), tally.count.item()) == (0, 0)
    torch.autograd.backward(tally.sum)
    trained = [p for p in run.module.parameters() if p.requires_grad]
    assert all(p.grad is None or (torch.isfinite(p.grad).all() and not p.grad.any()) for p in trained)


@pytest.mark.parametrize("workers", [0, 2])
def test_grading_and_validation_never_leave_a_question_out(
    workers: int, made: Callable[..., Run], caplog: pytest.LogCaptureFixture
) -> None:
    run = made("max_unreadable_images=4", f"num_workers={workers}", f"validate_items={COUNT}", names=["gone.png"])
    run.data.predict_request = PredictRequest(TRAIN, None)
    source: Any = run.sources["circuits"]
    source.real = SimpleNamespace(splits=source.real.splits, examples=lambda split: source.rows)
    for split, loader in ((TRAIN, run.data.predict_dataloader()), (VALIDATION, run.data.val_dataloader())):
        caplog.clear()
        with pytest.raises(SystemExit, match="2"):
            entry.run(partial(list, loader))
        assert re.search(rf"{split}: \S*gone\.png: not a readable image .* holds for training only", caplog.text)
        assert "Traceback" not in caplog.text


@pytest.mark.parametrize("workers", [0, 2])
def test_a_sample_that_does_not_fit_is_told_by_a_worker_as_without(workers: int, made: Callable[..., Run]) -> None:
    run = made("model.max_tokens=20", f"num_workers={workers}", names=())
    with pytest.raises(ValueError, match=r"^train: dialogue 'train-00000\d'.*model.max_tokens=20") as caught:
        list(run.data.train_dataloader())
    assert is_project_error(caught.value), "else the user is shown a traceback"


def test_a_bug_in_a_worker_keeps_its_traceback(made: Callable[..., Run]) -> None:
    run = made("num_workers=1", names=())
    run.data.codec = parts.broken_copy(run.data.codec, encode=lambda self, dialogue, *, reply: int("no number"))
    with pytest.raises(ValueError, match=r"in DataLoader worker process 0[\s\S]*Traceback"):
        list(run.data.train_dataloader())


def test_steps_over_bad_images_alone_have_no_loss_to_log(made: Callable[..., Run]) -> None:
    run = made("max_unreadable_images=4", "global_batch_size=1", f"validate_every_n_steps={COUNT}")
    run.cfg["max_steps"] = COUNT
    run.train()
    rows = csv.DictReader((run.folder / "csv" / "metrics.csv").open())
    losses = [float(row["train/loss"]) for row in rows if row.get("train/loss")]
    assert len(losses) == COUNT - 4
    assert all(map(math.isfinite, losses))


def _rank(rank: int, folder: Path, make: Callable[..., Run], most: int) -> None:
    """One of two processes that share the windows; what it was given, or the error, goes to a file."""
    os.environ["RANK"] = str(rank)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    run = make(f"max_unreadable_images={most}")
    try:
        batches = list(run.data.train_dataloader())
        said: Any = [[*b.ids, b.labels_N.numel(), b.window_count] for b in batches]
    except PictureError as error:
        said = str(error)
    (folder / f"{rank}.json").write_text(json.dumps([said, run.data.unreadable_images.messages]))
    distributed.destroy_process_group()


@pytest.mark.parametrize("most", [4, 1])
def test_two_processes_count_together_and_stop_together(most: int, made: Callable[..., Run], tmp_path: Path) -> None:
    alone = [
        [*b.ids, b.labels_N.numel(), b.window_count] for b in made("max_unreadable_images=4").data.train_dataloader()
    ]
    context = multiprocessing.get_context("fork")
    ranks = [context.Process(target=_rank, args=(rank, tmp_path, made, most)) for rank in range(2)]
    for process in ranks:
        process.start()
    for process in ranks:
        process.join(60)
    (one, found), (two, also) = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2))
    assert found == also
    if most == 4:
        assert len(found) == 4
        assert sorted(map(tuple, one + two)) == sorted(map(tuple, alone))
    else:
        assert one == two
        assert "max_unreadable_images=1: expected" in one


def test_the_doctor_warns_of_what_is_left_out_and_else_finds_a_fault(made: Callable[..., Run]) -> None:
    for allowed, level in ((4, Level.WARNING), (0, Level.FAULT)):
        found = examine(made(f"max_unreadable_images={allowed}"), show=COUNT, ranks=2)
        assert {f.level for f in found.findings if f.check == "samples"} == {level}


def test_fewer_than_none_is_refused(made: Callable[..., Run]) -> None:
    with pytest.raises(ConfigError, match="max_unreadable_images: expected 0 or more, got -1"):
        made("max_unreadable_images=-1")
