"""Is a run's folder named by its science, and is nothing in it ever lost, mixed or half written?"""

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


@pytest.fixture
def base(conf: Path) -> DictConfig:
    return compose(config_dir=conf)


INFRASTRUCTURE = [
    "workers=7",
    "micro_batch=4",
    "predict_batch=16",
    "fresh=true",
    "log_every=1",
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
    "+controls.blind=['standin=true']",
    "objective.smoothing=0.0",
]
SCIENCE = [
    "seed=1",
    "steps=1001",
    "standin=true",
    "global_batch=16",
    "precision=bf16-mixed",
    "adapter.rank=16",
    "adapter=none",
    "optimizer.lr=0.1",
    "data.fake.splits=[train]",
    "tasks.fake.metrics.exact.tolerance=1.0",
    "callback=science",
    "clip=null",
    "+trainer.limit_train_batches=3",
    "+trainer.fast_dev_run=true",
]


@pytest.mark.parametrize("override", INFRASTRUCTURE)
def test_other_machinery_same_folder(override: str, base: DictConfig, conf: Path) -> None:
    cfg = compose([override], config_dir=conf)
    assert f.difference(cfg, base) == {}
    assert f.run_folder(cfg, base) == f.run_folder(base, base)


def test_other_science_other_folder(base: DictConfig, conf: Path) -> None:
    found = {f.run_folder(compose([override], config_dir=conf), base) for override in SCIENCE}
    assert len(found) == len(SCIENCE)
    assert f.run_folder(base, base) not in found
    again = {f.run_folder(compose([override, "workers=9"], config_dir=conf), base) for override in SCIENCE}
    assert again == found


def test_the_name_is_readable(base: DictConfig, conf: Path) -> None:
    cfg = compose(["adapter.rank=16", "seed=3"], config_dir=conf)
    assert f.difference(cfg, base) == {"adapter.rank": 16, "seed": 3}
    found = f.run_folder(cfg, base)
    assert found.parent == Path("runs/unnamed")
    assert found.name.startswith("rank=16-seed=3-")
    assert len(found.name.rpartition("-")[2]) == 8
    assert f.run_folder(base, base).name.startswith("plain-")


def test_the_order_of_overrides_does_not_matter(base: DictConfig, conf: Path) -> None:
    words = ["adapter.rank=16", "seed=3"]
    assert f.run_folder(compose(words, config_dir=conf), base) == f.run_folder(
        compose(words[::-1], config_dir=conf), base
    )


def test_a_long_or_strange_difference_still_names_one_folder(base: DictConfig, conf: Path) -> None:
    words = ["seed=3", "steps=17", "global_batch=64", "adapter.rank=32", "adapter.alpha=64", "model.path='/a b/../c:d'"]
    found = f.run_folder(compose([*words, f"data.fake.root={'x' * 300}"], config_dir=conf), base)
    assert len(found.name) <= 69
    assert len(found.parts) == 3
    assert found.parts[:2] == ("runs", "unnamed")


def test_a_value_that_is_gone_is_a_difference() -> None:
    assert f.difference({"model": {"a": 1}}, {"model": {"a": 1, "b": 2}}) == {"model.b": f.ABSENT}
    assert f.difference({"model": {"a": None}}, {"model": {}}) == {"model": f.ABSENT, "model.a": None}


def test_one_is_one_point_zero_but_not_true() -> None:
    assert f.difference({"model": {"a": 1}}, {"model": {"a": 1.0}}) == {}
    assert f.difference({"model": {"a": [1]}}, {"model": {"a": [1.0]}}) == {}
    assert f.difference({"model": {"a": 1}}, {"model": {"a": True}}) == {"model.a": 1}
    assert f.difference({"model": {"a": "1"}}, {"model": {"a": 1}}) == {"model.a": "1"}


def test_a_given_folder_is_taken(base: DictConfig, conf: Path, tmp_path: Path) -> None:
    cfg = compose([f"folder={tmp_path}/mine", "seed=4"], config_dir=conf)
    assert f.run_folder(cfg, base) == tmp_path / "mine"


def test_a_run_is_new_then_started_then_finished(cfg: DictConfig, base: DictConfig, tmp_path: Path) -> None:
    run = tmp_path / "runs" / "a"
    assert f.state(run) == "new"
    assert f.start(run, cfg, base=base, fresh=False) == "new"
    assert f.state(run) == "started"
    assert f.start(run, cfg, base=base, fresh=False) == "started"
    f.finish(run, {"loss": 0.5})
    assert f.state(run) == "finished"
    assert f.start(run, cfg, base=base, fresh=False) == "finished"
    assert json.loads((run / f.FINISHED).read_text()) == {"loss": 0.5}
    stored = f.read_config(run)
    assert stored.model.path == "weights/unnamed", "interpolations are resolved"
    assert f.difference(cfg, stored) == {}
    assert not list(run.glob("*.tmp")) + list(run.glob(".*.tmp"))


def test_the_difference_is_written_down(conf: Path, base: DictConfig, tmp_path: Path) -> None:
    f.start(tmp_path / "a", compose(["seed=5"], config_dir=conf), base=base, fresh=False)
    assert OmegaConf.load(tmp_path / "a" / f.DIFFERENCE) == {"seed": 5}


def test_other_science_in_the_same_folder_is_refused(conf: Path, base: DictConfig, tmp_path: Path) -> None:
    f.start(tmp_path / "a", base, base=base, fresh=False)
    with pytest.raises(f.FolderError, match=r"adapter\.rank: now 99"):
        f.start(tmp_path / "a", compose(["adapter.rank=99"], config_dir=conf), base=base, fresh=False)
    f.start(tmp_path / "a", compose(["workers=3", "trainer.devices=8"], config_dir=conf), base=base, fresh=False)


def test_fresh_deletes_a_run_and_nothing_else(cfg: DictConfig, base: DictConfig, tmp_path: Path) -> None:
    run = tmp_path / "a"
    f.start(run, cfg, base=base, fresh=False)
    (run / "old.txt").write_text("old")
    f.finish(run, {})
    assert f.start(run, cfg, base=base, fresh=True) == "new"
    assert f.state(run) == "started"
    assert not (run / "old.txt").exists()
    assert sorted(path.name for path in tmp_path.iterdir() if "deleting" in path.name) == []

    elsewhere, link = tmp_path / "elsewhere", tmp_path / "link"
    elsewhere.mkdir()
    link.symlink_to(elsewhere)
    f.start(link, cfg, base=base, fresh=False)
    (elsewhere / "old.txt").write_text("old")
    assert f.start(link, cfg, base=base, fresh=True) == "new"
    assert link.is_symlink()
    assert f.state(elsewhere) == "started"
    assert not (elsewhere / "old.txt").exists()
    elsewhere.rename(tmp_path / "away")  # a link that points to nothing
    assert f.start(link, cfg, base=base, fresh=False) == "new"
    assert sorted(path.name for path in tmp_path.iterdir() if "deleting" in path.name) == []

    home = tmp_path / "home"
    home.mkdir()
    (home / "thesis.tex").write_text("years of work")
    for fresh in (True, False):
        with pytest.raises(f.FolderError, match="not the folder of a run"):
            f.start(home, cfg, base=base, fresh=fresh)
    assert (home / "thesis.tex").read_text() == "years of work"


def test_only_rank_zero_writes(
    cfg: DictConfig, base: DictConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    f.start(tmp_path / "a", cfg, base=base, fresh=False)
    monkeypatch.setenv("RANK", "1")
    assert f.start(tmp_path / "a", cfg, base=base, fresh=True) == "new"
    assert f.state(tmp_path / "a") == "started"
    assert f.start(tmp_path / "b", cfg, base=base, fresh=False) == "new"
    assert not (tmp_path / "b").exists()


def test_reading_a_folder_that_is_no_run_names_the_nearest(cfg: DictConfig, base: DictConfig, tmp_path: Path) -> None:
    f.start(tmp_path / "rank=16-abc", cfg, base=base, fresh=False)
    with pytest.raises(f.FolderError, match="Did you mean 'rank=16-abc'"):
        f.read_config(tmp_path / "rank=16-abd")


@pytest.mark.parametrize("moment", ["os.fsync", "os.replace"])
def test_a_kill_before_the_rename_leaves_the_old_file(moment: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    f.write_atomic(path, "old")
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom circuitvlm.runtime.folders.run_folder import write_atomic\n"
        f"{moment} = lambda *a, **k: os.kill(os.getpid(), 9)\nwrite_atomic(Path(sys.argv[1]), 'new' * 1000)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert done.returncode == -9
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
    f.write_atomic(tmp_path / "a" / f.MARKER, "")
    assert f.start(tmp_path / "a", cfg, base=base, fresh=False) == "new"


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
    f.start(tmp_path / "a", settings, base=base, fresh=False)
    assert f.difference(settings, f.read_config(tmp_path / "a")) == {}
    assert f.start(tmp_path / "a", settings, base=base, fresh=False) == "started"
