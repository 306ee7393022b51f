"""Check that a stopped training resumes bit for bit, wherever it stopped, and always has an intact checkpoint."""

from __future__ import annotations

import json
import logging
import os
import pickle
import random
import resource
import shutil
import signal
import warnings
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning import Callback, LightningDataModule, LightningModule, Trainer
from lightning.fabric.plugins.environments import LightningEnvironment
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from circuitvlm.training.batches.sampler import EpochStream, WindowSampler
from circuitvlm.training.checkpoint import random_state, storage
from circuitvlm.training.checkpoint.checkpoint import BEST, RESUME, Checkpoint, CheckpointError
from circuitvlm.training.checkpoint.stop_request import STOP_STATUS

STEPS, ACCUMULATION, VALIDATE = 7, 2, 3


class Small(LightningModule):
    """A frozen layer and a trained one, with dropout, and random numbers of every kind in its loss."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.frozen, self.trained = nn.Linear(4, 8).requires_grad_(False), nn.Linear(8, 1)
        self.scores: dict[str, Any] = {}
        self.strict_loading = False
        self.validated: dict[int, float] = {}
        self.values = iter(())  # type: Iterator[float]

    def loss(self, batch: list[Tensor]) -> Tensor:
        return self.trained(nn.functional.dropout(self.frozen(batch[0]), 0.5, self.training)).pow(2).mean()

    def training_step(self, batch: list[Tensor]) -> Tensor:
        return self.loss(batch) * (1 + random.random() + np.random.rand())

    def validation_step(self, batch: list[Tensor]) -> None:
        torch.rand(3), random.random(), np.random.rand()  # a validation that draws must not move the training
        self.log("validate/loss", next(self.values, self.loss(batch)))

    def on_validation_start(self) -> None:
        self.random_state = random_state.get_state()

    def on_validation_end(self) -> None:
        random_state.set_state(self.random_state)
        self.validated[self.global_step] = float(self.trainer.callback_metrics["validate/loss"])

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["state_dict"] = {k: v for k, v in checkpoint["state_dict"].items() if "frozen" not in k}

    def configure_optimizers(self) -> Any:
        return torch.optim.AdamW(self.trained.parameters(), lr=0.05)


class Loaders(LightningDataModule):
    trained = 0

    def train_dataloader(self) -> Any:
        sampler = WindowSampler(
            EpochStream(10, 1), windows=STEPS, global_batch_size=4, micro_batch_size=2, rank=0, world=1
        )
        sampler.start = self.trained
        return DataLoader(TensorDataset(torch.arange(40.0).reshape(10, 4) / 40), batch_sampler=sampler)

    def val_dataloader(self) -> Any:
        return DataLoader(TensorDataset(torch.ones(3, 4)), batch_size=1)

    def state_dict(self) -> dict[str, int]:
        assert self.trainer is not None
        return {"trained": self.trainer.global_step}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        self.trained = state_dict["trained"]


class At(Callback):
    """Does something at the n-th call of a hook."""

    def __init__(self, hook: str, call: int, what: Callable[[], None]) -> None:
        self.left = call
        self.what = what
        setattr(self, hook, self._count)

    def _count(self, *_: Any) -> None:
        self.left -= 1
        if self.left == 0:
            self.what()


def fit(
    run: Path, *extra: Callback, every_n_steps: int = 2, keep: int = 2, best: str | None = None, **tiny: Any
) -> Small:
    """Train in a folder from where its newest whole checkpoint stands to the end."""
    module = Small()
    module.values = iter(tiny.get("values", ()))
    random.seed(5)
    np.random.seed(5)
    torch.manual_seed(5)

    def save_adapter(folder: Path) -> None:
        folder.mkdir()
        torch.save(module.trained.state_dict(), folder / "weights.pt")
        save_file({"as long as a real one's": torch.zeros(1000)}, folder / "more.safetensors")

    newest = storage.newest_intact(run)
    state = str(newest.state_path) if newest else None
    checkpoint = Checkpoint(run, every_n_steps=every_n_steps, keep=keep, best=best, save_adapter=save_adapter)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer(*extra, checkpoint).fit(module, datamodule=Loaders(), ckpt_path=state, weights_only=True)
    return module


def trainer(*callbacks: Callback) -> Trainer:
    return Trainer(
        accelerator="cpu",
        max_steps=STEPS,
        max_epochs=-1,
        accumulate_grad_batches=ACCUMULATION,
        val_check_interval=VALIDATE * ACCUMULATION,
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        plugins=[LightningEnvironment()],
        callbacks=list(callbacks),
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Small:
    return fit(tmp_path_factory.mktemp("whole"))


def fail() -> None:
    raise RuntimeError("stop here")


def ask() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def same(one: Small, other: Small) -> bool:
    return torch.equal(one.trained.weight, other.trained.weight) and torch.equal(one.trained.bias, other.trained.bias)


HOOKS = {"on_train_batch_start": STEPS * ACCUMULATION, "on_validation_batch_end": 6}
"""How often each is called."""


@pytest.mark.parametrize(("hook", "calls"), HOOKS.items())
def test_an_error_at_any_moment_costs_no_bit(hook: str, calls: int, tmp_path: Path, whole: Small) -> None:
    for call in range(1, calls + 1):
        run = tmp_path / str(call)
        with pytest.raises(RuntimeError, match="stop here"):
            fit(run, At(hook, call, fail))
        again = fit(run)
        assert same(again, whole), call
        assert again.validated.items() <= whole.validated.items(), call


@pytest.mark.parametrize(("hook", "calls"), HOOKS.items())
def test_who_is_asked_to_end_saves_this_step_and_says_so(hook: str, calls: int, tmp_path: Path, whole: Small) -> None:
    for call in range(1, calls + 1):
        run = tmp_path / str(call)
        with pytest.raises(SystemExit) as ended:
            fit(run, At(hook, call, ask), every_n_steps=100)
        assert ended.value.code == STOP_STATUS == 143
        last = storage.newest_intact(run)
        assert last is not None
        validating = "validation" in hook
        assert last.step == (VALIDATE * (1 + (call > 3)) if validating else -(-call // ACCUMULATION))
        again = fit(run)
        assert same(again, whole), call
        if validating:
            assert last.step in again.validated, "the validation that was cut off is made up for"
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL, "the signal is given back"


def test_who_is_asked_to_end_while_it_answers_ends_at_once(tmp_path: Path) -> None:
    module, calls = fit(tmp_path), []
    module.predict_step = lambda batch: calls.append(ask())
    with pytest.raises(SystemExit) as ended:
        trainer(Checkpoint(tmp_path, every_n_steps=1, keep=1, best=None, save_adapter=lambda _: None)).predict(
            module, dataloaders=Loaders().val_dataloader()
        )
    assert ended.value.code == STOP_STATUS
    assert not calls


def test_a_validation_is_made_up_for_once(tmp_path: Path, whole: Small) -> None:
    with pytest.raises(RuntimeError):
        fit(tmp_path, At("on_validation_batch_end", 5, fail))
    assert fit(tmp_path).validated == {6: whole.validated[6]}
    again = fit(tmp_path)
    assert same(again, whole), "a training that has ended stays as it is"
    assert not again.validated


def damaged(one: storage.SavedCheckpoint, how: str) -> None:
    content = one.state_path.read_bytes()
    match how:
        case "truncated":
            one.state_path.write_bytes(content[: len(content) // 2])
        case "flipped":
            middle = len(content) // 2
            one.state_path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
        case "empty":
            one.state_path.write_bytes(b"")
        case "gone":
            one.state_path.unlink()
        case "no manifest":
            (one.path / storage.MANIFEST).unlink()
        case "odd manifest":
            (one.path / storage.MANIFEST).write_text("[1, 2]")
        case "unsafe":
            one.state_path.write_bytes(pickle.dumps(Unsafe(one.path.parent)))
            _reseal(one)
        case "unsafe zip":
            torch.save({"state_dict": Unsafe(one.path.parent)}, one.state_path)
            _reseal(one)


def _reseal(one: storage.SavedCheckpoint) -> None:
    (one.path / storage.MANIFEST).write_text(json.dumps({storage.STATE: storage.measure(one.state_path)}))


class Unsafe:
    """Makes a folder where it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.folder / "ran"),)


DAMAGES = ("truncated", "flipped", "empty", "gone", "no manifest", "odd manifest", "unsafe", "unsafe zip")


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_checkpoint_is_named_and_the_one_before_is_taken(
    how: str, tmp_path: Path, whole: Small, caplog: pytest.LogCaptureFixture
) -> None:
    fit(tmp_path)
    last, before = storage.list_checkpoints(tmp_path)
    assert (last.step, before.step) == (7, 6)
    damaged(last, how)
    with caplog.at_level(logging.WARNING):
        assert storage.newest_intact(tmp_path) == before
    assert f"{last.path} is damaged" in caplog.text
    assert same(fit(tmp_path), whole)
    assert storage.newest_intact(tmp_path) == last, "the damaged one has been replaced"
    damaged(last, how)
    damaged(before, how)
    assert storage.newest_intact(tmp_path) is None
    assert same(fit(tmp_path), whole), "where none is whole, it begins again"
    assert not (tmp_path / storage.FOLDER / "ran").exists(), "a checkpoint ran code"


@pytest.mark.parametrize(("keep", "kept"), [(1, [7]), (2, [7, 6]), (3, [7, 6, 4]), (9, [7, 6, 4, 3, 2])])
def test_the_last_ones_are_kept(keep: int, kept: list[int], tmp_path: Path) -> None:
    fit(tmp_path, keep=keep)
    assert [one.step for one in storage.list_checkpoints(tmp_path)] == kept
    assert sorted(path.name for path in (tmp_path / storage.FOLDER).iterdir()) == [f"step-{n:08d}" for n in kept[::-1]]


@pytest.mark.parametrize(
    ("values", "top"), [([3, 3, 3, 1, 1, 1], 6), ([1, 1, 1, 3, 3, 3], 3), ([float("nan")] * 3 + [5, 5, 5], 6)]
)
def test_the_best_one_is_kept_too_with_its_adapter(values: list[float], top: int, tmp_path: Path) -> None:
    fit(tmp_path, keep=1, best="validate/loss", values=[torch.tensor(float(v)) for v in values])
    assert [one.step for one in storage.list_checkpoints(tmp_path)] == [7, top]
    best = next(one for one in storage.list_checkpoints(tmp_path) if one.step == top)
    trained = torch.load(best.state_path, weights_only=True)["state_dict"]
    kept = torch.load(tmp_path / BEST / "weights.pt", weights_only=True)
    assert torch.equal(kept["weight"], trained["trained.weight"])
    assert sorted(path.name for path in tmp_path.iterdir()) == [BEST, storage.FOLDER]


def test_the_best_one_stays_known_over_a_stop(tmp_path: Path) -> None:
    low, high = ([torch.tensor(v)] * 3 for v in (1.0, 2.0))
    with pytest.raises(RuntimeError):
        fit(tmp_path, At("on_train_batch_start", 10, fail), best="validate/loss", values=low)
    fit(tmp_path, keep=1, best="validate/loss", values=high)
    assert [one.step for one in storage.list_checkpoints(tmp_path)] == [7, 3]


def test_an_unknown_best_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"checkpoint_best: .*, got 'validate/los'\. Did you mean 'validate/loss'"):
        fit(tmp_path, best="validate/los")


def test_a_checkpoint_holds_what_is_trained_and_is_no_pickle_of_classes(tmp_path: Path) -> None:
    fit(tmp_path)
    held = torch.load(storage.list_checkpoints(tmp_path)[0].state_path, weights_only=True)
    assert set(held["state_dict"]) == {"trained.weight", "trained.bias"}
    assert len(held[RESUME]["random"]) == 1


@pytest.fixture
def full() -> Iterator[Callable[[], None]]:
    """Makes every file end at 2000 bytes, which errs as a full disk does, until the test ends."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_told_and_leaves_the_one_before(full: Callable[[], None], tmp_path: Path, whole: Small) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with pytest.raises(CheckpointError, match=r"step 6 .*free disk space, then the same command resumes from step 4"):
        fit(tmp_path, At("on_train_batch_start", 10, full))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in (tmp_path / storage.FOLDER).iterdir()] != [storage.TEMPORARY]
    assert not (tmp_path / storage.FOLDER / storage.TEMPORARY).exists(), "what was half written is in the way"
    assert same(fit(tmp_path), whole)


def test_a_full_disk_is_told_where_the_best_adapter_is_kept_too(
    full: Callable[[], None], tmp_path: Path, whole: Small
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    said = r"cannot write adapter_best of step 6 \(.*too large\); free disk space, .* resumes from step 6"
    values = [torch.tensor(v) for v in (3.0, 3.0, 3.0, 2.0, 2.0, 2.0)]
    with pytest.raises(CheckpointError, match=said):
        fit(tmp_path, At("on_validation_start", 2, full), best="validate/loss", values=values)
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not (tmp_path / f".{BEST}.writing").exists(), "what was half written is in the way"
    before = torch.load(tmp_path / BEST / "weights.pt", weights_only=True)
    assert same(fit(tmp_path, best="validate/loss", values=values[3:]), whole)
    assert any(not torch.equal(before[k], v) for k, v in torch.load(tmp_path / BEST / "weights.pt").items())


@pytest.mark.parametrize("moment", ["rename", "fsync", "rmtree"])
def test_a_stop_while_writing_leaves_a_whole_one(
    moment: str, tmp_path: Path, whole: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At every call of what writes: the folder is then as a kill would leave it."""
    owner = shutil if moment == "rmtree" else os
    plain = getattr(owner, moment)
    for call in count(1):
        run, calls = tmp_path / str(call), count(1)
        monkeypatch.setattr(owner, moment, lambda *a, call=call, calls=calls, **k: _or_stop(plain, call, calls, a, k))
        try:
            fit(run, every_n_steps=3)
        except Killed:
            monkeypatch.setattr(owner, moment, plain)
            assert same(fit(run), whole), call
        else:
            break
    assert call > 3, "it was called for each of three checkpoints"


class Killed(BaseException):
    """In the place of a kill: nothing of ours handles it."""


def _or_stop(plain: Any, call: int, calls: Iterator[int], given: tuple[Any, ...], named: dict[str, Any]) -> Any:
    if next(calls) >= call:
        raise Killed
    return plain(*given, **named)


def test_one_of_the_same_step_never_leaves_without_any(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def sealed() -> None:
        storage.prepare_state_path(tmp_path).write_bytes(b"")
        torch.save({"a": 1}, tmp_path / storage.FOLDER / storage.TEMPORARY / storage.STATE)
        storage.commit(tmp_path, step=5)

    sealed()
    rename = os.rename
    for call in (1, 2):
        calls = count(1)
        monkeypatch.setattr(os, "rename", lambda *a, call=call, calls=calls: _or_stop(rename, call, calls, a, {}))
        with pytest.raises(Killed):
            sealed()
        found = storage.newest_intact(tmp_path)
        assert found is not None, call
        assert found.step == 5
    monkeypatch.setattr(os, "rename", rename)
    sealed()
    assert [one.path.name for one in storage.list_checkpoints(tmp_path)] == ["step-00000005"]


def test_the_random_numbers_go_on(tmp_path: Path) -> None:
    standing = random_state.get_state()
    drawn = [torch.rand(2).tolist(), random.random(), np.random.rand(), np.random.randn()]
    torch.save(standing, tmp_path / "random")
    random_state.set_state(torch.load(tmp_path / "random", weights_only=True))
    assert drawn == [torch.rand(2).tolist(), random.random(), np.random.rand(), np.random.randn()]
