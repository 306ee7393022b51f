"""Check that other loggers write what TensorBoard writes, without a network, and name a missing package."""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from circuitvlm.runtime.config import allow_list
from circuitvlm.runtime.config.check import ConfigError, check
from circuitvlm.runtime.config.compose import compose
from circuitvlm.training.assemble import Run
from circuitvlm.training.execute import filter_warnings
from tests.contract import parts

PACKAGES = {"wandb": "WandbLogger", "mlflow": "MLFlowLogger"}
SMALL = [
    "~experiment", "smoke_test=true", "trainer=cpu", "num_workers=0", "data.circuits.num_workers=0",
    "micro_batch_size=2",
    "global_batch_size=2", "precision=32-true", "validate_items=1", "callback=throughput", "log_every_n_steps=1",
    "data.circuits.splits.train.count=2", "data.circuits.splits.validation.count=1",
    "data.circuits.splits.train.components=[2,2]", "data.circuits.splits.validation.components=[2,2]",
]  # fmt: skip


WANTED = {"train/loss", "validate/loss", "throughput/samples_per_second", "throughput/data_wait_share"}


def config(folder: Path, *more: str) -> Any:
    return compose([*SMALL, f"runs={folder}/runs", *more], config_dir=parts.CONF)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """One run that writes with all of them that are installed, and says nothing to anyone."""
    folder = tmp_path_factory.mktemp("loggers")
    with pytest.MonkeyPatch.context() as patch:
        for key, value in {
            "CIRCUITVLM_CACHE": f"{folder}/cache",
            "WANDB_MODE": "offline",
            "WANDB_SILENT": "true",
        }.items():
            patch.setenv(key, value)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        cfg = config(
            folder, f"logger=[{','.join(['csv', *filter(find_spec, PACKAGES)])}]", f"model.cache={folder}/cache"
        )
        check(cfg)
        run = Run(cfg, base=cfg)
        run.folder.mkdir(parents=True)
        filter_warnings()
        run.train()
        yield run


def needs(name: str) -> None:
    if find_spec(name) is None:
        pytest.skip(f"the package {name} is not installed: pip install 'circuitvlm[{name}]'")


def test_throughput_is_in_the_table_of_the_run(ran: Run) -> None:
    rows = list(csv.DictReader((ran.folder / "csv" / "metrics.csv").open()))
    assert {key for row in rows for key, value in row.items() if value} >= WANTED


def test_wandb_keeps_a_run_where_there_is_no_network(ran: Run) -> None:
    needs("wandb")
    import wandb

    wandb.teardown()  # it writes in a process of its own
    (written,) = (ran.folder / "wandb").glob("offline-run-*/run-*.wandb")
    data = written.read_bytes()
    assert [key for key in WANTED if key.encode() not in data] == []


def test_mlflow_keeps_a_run_where_there_is_no_server(ran: Run) -> None:
    needs("mlflow")
    with closing(sqlite3.connect(Path(ran.cfg["runs"]) / "mlflow.db")) as database:
        written = {key for (key,) in database.execute("SELECT DISTINCT key FROM metrics")}
        names = [name for (name,) in database.execute("SELECT name FROM runs")]
        (rank,) = database.execute("SELECT value FROM params WHERE key = 'adapter/rank'").fetchone()
    assert written >= WANTED
    assert rank == str(ran.cfg["adapter"]["rank"])
    assert names == [ran.cfg["name"]]


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_that_is_not_there_is_told_before_anything_starts(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(allow_list, "find_spec", lambda package: None)
    with pytest.raises(ConfigError, match=rf"needs the package {name}: pip install 'circuitvlm\[{name}\]'"):
        check(config(tmp_path, f"logger={name}"))


@pytest.mark.skipif(find_spec("wandb") is None, reason="wandb is an extra, and not installed here")
def test_a_misspelt_word_for_a_logger_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"logger\.wandb\.projekt"):
        check(config(tmp_path, "logger=wandb", "+logger.wandb.projekt=mine"))
