"""Check that a run's folder is named by its scientific settings, and that no file in it is lost or half written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf

from circuitvlm.runtime.config.compose import compose
from circuitvlm.runtime.folders import run_folder as f
from circuitvlm.runtime.folders.saved_file import FolderError
from circuitvlm.runtime.folders.settings import ABSENT, difference


@pytest.fixture
def base(conf: Path) -> DictConfig:
    return compose(config_dir=conf)


INFRASTRUCTURE = [
    "num_workers=7",
    "micro_batch_size=4",
    "eval_batch_size=16",
    "overwrite=true",
    "log_every_n_steps=1",
    "trainer.devices=2",
    "trainer.accelerator=gpu",
    "trainer.strategy._target_=lightning.pytorch.strategies.ModelParallelStrategy",
    "+trainer.num_nodes=4",
    "logger.fake.name=elsewhere",
    "~logger",
    "callback.writer.every=9",
    "~callback.writer",
    "callback.writer=null",
    "+callback.bar._target_=lightning.pytorch.callbacks.RichProgressBar",
    "+baselines.blind=['smoke_test=true']",
    "objective.smoothing=0.0",
]
SCIENCE = [
    "seed=1",
    "max_steps=1001",
    "smoke_test=true",
    "global_batch_size=16",
    "precision=bf16-mixed",
    "adapter.rank=16",
    "adapter=none",
    "optimizer.lr=0.1",
    "data.fake.splits=[train]",
    "tasks.fake.metrics.exact.tolerance=1.0",
    "callback=science",
    "gradient_clip_val=null",
    "+trainer.limit_train_batches=3",
    "+trainer.fast_dev_run=true",
]


@pytest.mark.parametrize("override", INFRASTRUCTURE)
def test_other_machinery_same_folder(override: str, base: DictConfig, conf: Path) -> None:
    cfg = compose([override], config_dir=conf)
    assert difference(cfg, base) == {}
    assert f.run_folder(cfg, base) == f.run_folder(base, base)


def test_other_science_other_folder(base: DictConfig, conf: Path) -> None:
    folders = {f.run_folder(compose([override], config_dir=conf), base) for override in SCIENCE}
    assert len(folders) == len(SCIENCE)
    assert f.run_folder(base, base) not in folders
    again = {f.run_folder(compose([override, "num_workers=9"], config_dir=conf), base) for override in SCIENCE}
    assert again == folders


def test_the_name_is_readable(base: DictConfig, conf: Path) -> None:
    cfg = compose(["adapter.rank=16", "seed=3"], config_dir=conf)
    assert difference(cfg, base) == {"adapter.rank": 16, "seed": 3}
    folder = f.run_folder(cfg, base)
    assert folder.parent == Path("runs/unnamed")
    assert folder.name.startswith("rank=16-seed=3-")
    assert len(folder.name.rpartition("-")[2]) == 8
    assert f.run_folder(base, base).name.startswith("plain-")


def test_the_order_of_overrides_does_not_matter(base: DictConfig, conf: Path) -> None:
    words = ["adapter.rank=16", "seed=3"]
    assert f.run_folder(compose(words, config_dir=conf), base) == f.run_folder(
        compose(words[::-1], config_dir=conf), base
    )


def test_a_long_or_strange_difference_still_names_one_folder(base: DictConfig, conf: Path) -> None:
    words = [
        "seed=3",
        "max_steps=17",
        "global_batch_size=64",
        "adapter.rank=32",
        "adapter.alpha=64",
        "model.path='/a b/../c:d'",
    ]
    folder = f.run_folder(compose([*words, f"data.fake.root={'x' * 300}"], config_dir=conf), base)
    assert len(folder.name) <= 69
    assert len(folder.parts) == 3
    assert folder.parts[:2] == ("runs", "unnamed")


def test_a_value_that_is_gone_is_a_difference() -> None:
    assert difference({"model": {"a": 1}}, {"model": {"a": 1, "b": 2}}) == {"model.b": ABSENT}
    assert difference({"model": {"a": None}}, {"model": {}}) == {"model": ABSENT, "model.a": None}


def test_one_is_one_point_zero_but_not_true() -> None:
    assert difference({"model": {"a": 1}}, {"model": {"a": 1.0}}) == {}
    assert difference({"model": {"a": [1]}}, {"model": {"a": [1.0]}}) == {}
    assert difference({"model": {"a": 1}}, {"model": {"a": True}}) == {"model.a": 1}
    assert difference({"model": {"a": "1"}}, {"model": {"a": 1}}) == {"model.a": "1"}


def test_a_given_folder_is_taken(base: DictConfig, conf: Path, tmp_path: Path) -> None:
    cfg = compose([f"folder={tmp_path}/mine", "seed=4"], config_dir=conf)
    assert f.run_folder(cfg, base) == tmp_path / "mine"


def test_a_run_is_new_then_started_then_finished(cfg: DictConfig, base: DictConfig, tmp_path: Path) -> None:
    run = tmp_path / "runs" / "a"
    assert f.read_state(run) == "new"
    assert f.prepare(run, cfg, base=base, overwrite=False) == "new"
    assert f.read_state(run) == "started"
    assert f.prepare(run, cfg, base=base, overwrite=False) == "started"
    f.finish(run, {"loss": 0.5})
    assert f.read_state(run) == "finished"
    assert f.prepare(run, cfg, base=base, overwrite=False) == "finished"
    assert json.loads((run / f.FINISHED_FILE).read_text()) == {"loss": 0.5}
    config = f.read_config(run)
    assert config["model"]["path"] == "weights/unnamed", "interpolations are resolved"
    assert difference(cfg, config) == {}
    assert not list(run.glob("*.tmp")) + list(run.glob(".*.tmp"))


def test_the_difference_is_written_down(conf: Path, base: DictConfig, tmp_path: Path) -> None:
    f.prepare(tmp_path / "a", compose(["seed=5"], config_dir=conf), base=base, overwrite=False)
    assert OmegaConf.load(tmp_path / "a" / f.DIFFERENCE_FILE) == {"seed": 5}


def test_other_science_in_the_same_folder_is_refused(conf: Path, base: DictConfig, tmp_path: Path) -> None:
    f.prepare(tmp_path / "a", base, base=base, overwrite=False)
    with pytest.raises(FolderError, match=r"adapter\.rank: got 99"):
        f.prepare(tmp_path / "a", compose(["adapter.rank=99"], config_dir=conf), base=base, overwrite=False)
    f.prepare(
        tmp_path / "a", compose(["num_workers=3", "trainer.devices=8"], config_dir=conf), base=base, overwrite=False
    )


def test_fresh_deletes_a_run_and_nothing_else(cfg: DictConfig, base: DictConfig, tmp_path: Path) -> None:
    run = tmp_path / "a"
    f.prepare(run, cfg, base=base, overwrite=False)
    (run / "old.txt").write_text("old")
    f.finish(run, {})
    assert f.prepare(run, cfg, base=base, overwrite=True) == "new"
    assert f.read_state(run) == "started"
    assert not (run / "old.txt").exists()
    assert sorted(path.name for path in tmp_path.iterdir() if "deleting" in path.name) == []

    elsewhere, link = tmp_path / "elsewhere", tmp_path / "link"
    elsewhere.mkdir()
    link.symlink_to(elsewhere)
    f.prepare(link, cfg, base=base, overwrite=False)
    (elsewhere / "old.txt").write_text("old")
    assert f.prepare(link, cfg, base=base, overwrite=True) == "new"
    assert link.is_symlink()
    assert f.read_state(elsewhere) == "started"
    assert not (elsewhere / "old.txt").exists()
    elsewhere.rename(tmp_path / "away")  # a link that points to nothing
    assert f.prepare(link, cfg, base=base, overwrite=False) == "new"
    assert sorted(path.name for path in tmp_path.iterdir() if "deleting" in path.name) == []

    home = tmp_path / "home"
    home.mkdir()
    (home / "thesis.tex").write_text("years of work")
    for overwrite in (True, False):
        with pytest.raises(FolderError, match="expected an empty folder or the folder of a run"):
            f.prepare(home, cfg, base=base, overwrite=overwrite)
    assert (home / "thesis.tex").read_text() == "years of work"


def test_only_rank_zero_writes(
    cfg: DictConfig, base: DictConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    f.prepare(tmp_path / "a", cfg, base=base, overwrite=False)
    monkeypatch.setenv("RANK", "1")
    assert f.prepare(tmp_path / "a", cfg, base=base, overwrite=True) == "new"
    assert f.read_state(tmp_path / "a") == "started"
    assert f.prepare(tmp_path / "b", cfg, base=base, overwrite=False) == "new"
    assert not (tmp_path / "b").exists()


def test_reading_a_folder_that_is_no_run_names_the_nearest(cfg: DictConfig, base: DictConfig, tmp_path: Path) -> None:
    f.prepare(tmp_path / "rank=16-abc", cfg, base=base, overwrite=False)
    with pytest.raises(FolderError, match="Did you mean 'rank=16-abc'"):
        f.read_config(tmp_path / "rank=16-abd")


@pytest.mark.parametrize("moment", ["os.fsync", "os.replace"])
def test_a_kill_before_the_rename_leaves_the_old_file(moment: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    f.write_atomic(path, "old")
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom circuitvlm.runtime.folders.run_folder import write_atomic\n"
        f"{moment} = lambda *a, **k: os.kill(os.getpid(), 9)\nwrite_atomic(Path(sys.argv[1]), 'new' * 1000)\n"
    )
    process = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert process.returncode == -9
    assert path.read_text() == "old"
    f.write_atomic(path, "new")
    assert path.read_text() == "new"


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    f.write_atomic(tmp_path / "a", "old")

    def full(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="disk full"):
        f.write_atomic(tmp_path / "a", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_text() == "old"


def test_a_kill_between_marker_and_config_can_be_started_again(
    cfg: DictConfig, base: DictConfig, tmp_path: Path
) -> None:
    (tmp_path / "a").mkdir()
    f.write_atomic(tmp_path / "a" / f.MARKER_FILE, "")
    assert f.prepare(tmp_path / "a", cfg, base=base, overwrite=False) == "new"


@pytest.mark.parametrize(
    "value",
    [
        "1e-3",
        "1",
        "true",
        "null",
        "???no",
        "yes",
        "",
        " a ",
        "a: b",
        "Ω\n- x",
        "$V_{out}$",
        "${V}",
        "a ${V} b",
        1e-5,
        [1, 2.5],
        {},
        [],
    ],
)
def test_what_is_stored_reads_back_as_it_was(value: object, cfg: DictConfig, base: DictConfig, tmp_path: Path) -> None:
    plain = OmegaConf.to_container(cfg, resolve=True)
    assert isinstance(plain, dict)
    plain["model"]["path"] = value
    settings = {str(key): inner for key, inner in plain.items()}
    f.prepare(tmp_path / "a", settings, base=base, overwrite=False)
    assert difference(settings, f.read_config(tmp_path / "a")) == {}
    assert f.prepare(tmp_path / "a", settings, base=base, overwrite=False) == "started"
