"""Check that a failing run stops on all ranks with a reason: non-finite losses, dying ranks, and missing memory."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import DictConfig
from safetensors.torch import load_file, save_file

from circuitvlm.core.tensor import Batch, Tally
from circuitvlm.objective.reply import Reply
from circuitvlm.runtime.config import strategy_check
from circuitvlm.runtime.config.check import check
from circuitvlm.runtime.config.compose import compose
from circuitvlm.runtime.progress import restart_count
from circuitvlm.training.assemble import Run, trained_run
from circuitvlm.training.checkpoint import storage
from circuitvlm.training.checkpoint.finite import NonFiniteError
from circuitvlm.training.execute import execute
from circuitvlm.training.failure import NON_FINITE, is_out_of_memory, memory_advice
from circuitvlm.training.module import Module
from circuitvlm.training.strategy import strategy
from tests.training.test_strategies import ADAPTERS, CPU, ROOT, SHARED, _free_port, adapter, losses

WORDS = [*SHARED, *ADAPTERS["lora"], "eval_splits=[]", "micro_batch_size=4", "max_steps=4"]


@pytest.fixture
def small_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., DictConfig]:
    """The checked config of a run in tmp_path / "run", with further words."""
    monkeypatch.setenv("CIRCUITVLM_CACHE", str(tmp_path / "cache"))

    def compose_run(*words: str) -> DictConfig:
        folders = [f"folder={tmp_path / 'run'}", f"model.cache={tmp_path}"]
        cfg = compose([*WORDS, *folders, *words], config_dir=ROOT / "conf")
        check(cfg)
        return cfg

    return compose_run


Spoil = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@pytest.fixture
def spoilt_batches(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, Spoil], list[Batch]]:
    """Give one call of the objective another sum, by its sum and logits; the list is of the batches that it gets."""

    def spoil_call(number: int, spoil: Spoil) -> list[Batch]:
        batches: list[Batch] = []
        tally = Reply.tally

        def spoilt(self: Reply, logits_NV: torch.Tensor, batch: Batch) -> Tally:
            batches.append(batch)
            made = tally(self, logits_NV, batch)
            return made if len(batches) != number else Tally(spoil(made.sum, logits_NV), made.count)

        monkeypatch.setattr(Reply, "tally", spoilt)
        return batches

    return spoil_call


def test_a_loss_that_is_no_number_stops_before_the_step_and_the_batch_is_written_down(
    tmp_path: Path, small_run: Callable[..., DictConfig], spoilt_batches: Callable[[int, Spoil], list[Batch]]
) -> None:
    """The second half of the third step's window."""
    batches, cfg = spoilt_batches(6, lambda total, logits_NV: total * float("nan")), small_run()
    with pytest.raises(NonFiniteError, match=r"step 2: expected a finite loss, got nan on .* \(rank 0\)"):
        execute(cfg, base=cfg, baseline_configs={})
    said = json.loads((tmp_path / "run" / NON_FINITE).read_text())
    assert said["step"] == 2
    assert said["ranks"] == {"0": [{"loss": "nan", "ids": list(batches[5].ids)}]}
    last = storage.newest_intact(tmp_path / "run")
    assert last is not None
    assert last.step == 2


@pytest.mark.parametrize("clip", ["1.0", "null"])
def test_a_gradient_that_is_no_number_stops_before_the_step_though_the_loss_is_finite(
    clip: str,
    tmp_path: Path,
    small_run: Callable[..., DictConfig],
    spoilt_batches: Callable[[int, Spoil], list[Batch]],
) -> None:
    """The first half of the second step's window; the square root of 0 has no derivative."""
    spoilt_batches(3, lambda total, logits_NV: total + (logits_NV * 0).sqrt().sum())
    cfg = small_run(f"gradient_clip_val={clip}")
    with pytest.raises(NonFiniteError, match=r"step 1: expected a finite gradient, got others of \d+ weights"):
        execute(cfg, base=cfg, baseline_configs={})
    said = json.loads((tmp_path / "run" / NON_FINITE).read_text())
    assert said["ranks"] == {"0": []}
    assert all("lora" in name for name in said["gradients"])
    last = storage.newest_intact(tmp_path / "run")
    assert last is None or last.step == 1


def test_weights_that_are_no_numbers_are_neither_saved_nor_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_run: Callable[..., DictConfig]
) -> None:
    folder, cfg = tmp_path / "run", small_run()
    run = Run(cfg, base=cfg)
    end = Module.on_train_end

    def spoil(module: Module) -> None:
        next(p for p in module.parameters() if p.requires_grad).data.view(-1)[-1] = float("inf")
        end(module)

    with monkeypatch.context() as patch:
        patch.setattr(Module, "on_train_end", spoil)
        with pytest.raises(NonFiniteError, match="in 1 of them"):
            run.train()
    assert not (folder / "adapter").exists()
    run = Run(cfg, base=cfg)
    run.train()  # from the last good checkpoint
    (path,) = (folder / "adapter").glob("*.safetensors")
    tensors = load_file(path)
    name = min(tensors)
    tensors[name].view(-1)[0] = float("nan")
    save_file(tensors, path)
    with pytest.raises(ValueError, match=f"NaN or infinity in 1 tensors, such as .*{re.escape(name)}"):
        trained_run(folder, changes={}).module.configure_model()


def test_what_ends_memory_is_told_from_other_errors() -> None:
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert is_out_of_memory(RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 8 bytes"))
    assert is_out_of_memory(MemoryError())
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not is_out_of_memory(ValueError("out of memory is a phrase"))


def test_the_advice_names_what_can_still_be_lowered() -> None:
    model: dict[str, Any] = {"gradient_checkpointing": False, "max_pixels": 200704}
    said = memory_advice({"model": model, "micro_batch_size": 4, "quantization": None})
    assert "micro_batch_size=2 (now 4" in said
    assert "model.gradient_checkpointing=true" in said
    assert "now 200704" in said
    assert "quantization=nf4" in said
    assert "lower model.longest_edge (now 1024" in memory_advice(
        {"model": {"longest_edge": 1024}, "micro_batch_size": 1, "quantization": 1}
    )
    small = {"model": {"gradient_checkpointing": True}, "micro_batch_size": 1, "quantization": {"load_in_4bit": 1}}
    least = memory_advice(small)
    assert not any(key in least for key in ("micro_batch_size", "checkpointing", "max_pixels", "nf4", "trainer="))
    split = {"strategy": {"_target_": strategy_check.FSDP2_TARGETS[0]}}
    assert "nf4" not in memory_advice({"model": model, "micro_batch_size": 4, "quantization": None, "trainer": split})


def test_slurm_starts_a_job_again_and_its_ranks_meet_as_the_first_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """It gives each start an address of its own, and no LOCAL_WORLD_SIZE: nothing is to be done for it."""
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    monkeypatch.setenv("SLURM_RESTART_COUNT", "2")
    assert restart_count() == 2
    strategy._init_restarted_processes(strategy.Ddp(find_unused_parameters=False, timeout_minutes=1))
    assert not torch.distributed.is_initialized()


PROGRAM = """
import os, sys
from pathlib import Path
from circuitvlm.runtime.config.check import check
from circuitvlm.runtime.config.compose import compose
from circuitvlm.runtime.progress import rank, setup_logging
from circuitvlm.training.execute import execute
from circuitvlm.training.module import Module
how, conf, *words = sys.argv[1:]
step = Module.training_step
def dying(module, batch):
    first = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") == "0"
    if how == str(rank()) and module.global_step == 2 and first:
        raise RuntimeError("this rank has had enough")
    return step(module, batch)
Module.training_step = dying
setup_logging()
cfg = compose(words, config_dir=Path(conf))
check(cfg)
execute(cfg, base=cfg, baseline_configs={})
"""
"""One run, of which a rank raises at its third step, unless torchrun has started it again."""


def run(how: str, *words: str, home: Path, torchrun: list[str] | None = None) -> subprocess.CompletedProcess[str]:
    script = home / "program.py"
    script.write_text(PROGRAM)
    launcher = ["-m", "torch.distributed.run", "--nproc_per_node=2", f"--master_port={_free_port()}", *(torchrun or [])]
    told = [sys.executable, *(launcher if torchrun is not None else []), str(script), how, str(ROOT / "conf")]
    told += [*WORDS, f"model.cache={home}", *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CIRCUITVLM_CACHE": str(home)}
    return subprocess.run(told, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["torchrun", "lightning"])
@pytest.mark.parametrize("rank", ["0", "1"])
def test_a_rank_that_dies_ends_the_job_with_its_traceback(launcher: str, rank: str, tmp_path: Path) -> None:
    began = time.monotonic()
    torchrun: list[str] | None = [] if launcher == "torchrun" else None
    done = run(rank, "trainer=ddp", *CPU, f"folder={tmp_path / 'run'}", home=tmp_path, torchrun=torchrun)
    assert done.returncode != 0
    assert "this rank has had enough" in done.stderr + done.stdout
    assert "Traceback" in done.stderr + done.stdout
    assert time.monotonic() - began < 200


@pytest.mark.slow
def test_torchrun_starts_a_run_again_and_it_goes_on(tmp_path: Path) -> None:
    words = ("trainer=ddp", *CPU, f"folder={tmp_path / 'again'}", "overwrite=true")  # said again, it means: go on
    again = run("1", *words, home=tmp_path, torchrun=["--max-restarts=1"])
    assert again.returncode == 0, again.stdout[-3000:] + again.stderr[-3000:]
    assert "resuming from step 2" in again.stderr
    well = run("well", "trainer=ddp", *CPU, f"folder={tmp_path / 'well'}", home=tmp_path)  # by Lightning's launcher
    assert well.returncode == 0, well.stdout[-3000:] + well.stderr[-3000:]
    assert losses(tmp_path / "again")[-2:] == losses(tmp_path / "well")[-2:]
    first, second = adapter(tmp_path / "well"), adapter(tmp_path / "again")
    assert all(torch.equal(first[name], second[name]) for name in first)
