"""Check that no command writes through a link that a stranger has put into a folder."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf
from typer.testing import CliRunner

from circuitvlm.report.grade import Grades, Item
from circuitvlm.report.study import find_runs
from circuitvlm.runtime.config.compose import compose
from circuitvlm.runtime.folders import run_folder as folders
from circuitvlm.runtime.folders.links import refuse_links
from circuitvlm.runtime.folders.lock import LOCK_FILE, FolderLockedError, lock_folder
from circuitvlm.runtime.folders.saved_file import FolderError
from circuitvlm.serving.cli.app import app
from circuitvlm.serving.export.export import export_run
from circuitvlm.training.execute import execute_evaluation
from circuitvlm.training.sweep.space import Settings

ROOT = Path(__file__).parents[2]
SECRET = "precious"
RUN_PATHS = (
    ".lock", ".circuitvlm-run", "config.yaml", "difference.yaml", "overrides.json", "provenance.json", "failed.txt",
    "pruned.txt", "validated.json", "non_finite.json", "unread_images.json", "trained.json", "finished.json",
    "table.md", "breakdown.md", "scienceqa.md", "circuitsense.json", "confusion_test_digit.md",
    "confusion_test_digit.png", "replies", "replies/test", "replies/test/replies.0.jsonl", "replies/test/scores.json",
    "tensorboard", "tensorboard/events.out.tfevents.1", "tensorboard/hparams.yaml", "csv/metrics.csv", "checkpoints",
    "checkpoints/.writing", "checkpoints/step-00000001", "checkpoints/step-00000001/state.ckpt",
    "checkpoints/step-00000001/manifest.json", "adapter", "adapter/config.yaml", "adapter/adapter_model.safetensors",
    "adapter/tokenizer.json", "adapter_best", ".adapter_best.writing", "baselines", "baselines/full.yaml",
    "baselines/full/.lock", "evaluation", "evaluation/.lock", "evaluation/test/replies.0.jsonl",
    "evaluation/compared/zero-shot/test/scores.json", "shuffled/table.md",
)  # fmt: skip
SWEEP_PATHS = (".lock", "journal.log", ".journal.log.lock", ".journal.log.tmp", "sweep.json")
EXPORT_PATHS = ("config.json", "model.safetensors", "llm", "vision", "llm/config.json", "circuitvlm.json")
REPORT_PATHS = ("report", "report/report.md", "report/report.html", "report/test-t-exact.png", "report/curves.png")


@pytest.fixture
def victims(tmp_path: Path) -> Iterator[Path]:
    """A folder of files that no command may change."""
    folder = tmp_path / "victims"
    folder.mkdir()
    (folder / "file").write_text(SECRET)
    yield folder
    assert [path.name for path in folder.iterdir()] == ["file"]
    assert (folder / "file").read_text() == SECRET


def plant(path: Path, victims: Path) -> None:
    """Put a link to the file, to the folder or to a new name in the folder of victims in place of a path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    target = victims if path.suffix == "" and not path.name.startswith(".") else victims / "file"
    path.symlink_to(target)


@pytest.mark.parametrize("place", sorted({*RUN_PATHS} - {"finished.json"}))  # with which nothing is written
def test_a_run_is_not_resumed_in_a_folder_with_a_link_out_of_it(place: str, victims: Path, tmp_path: Path) -> None:
    cfg = {"name": "x", "folder": str(tmp_path / "run"), "seed": 1}
    folders.prepare(tmp_path / "run", cfg, base=cfg, overwrite=False)
    (tmp_path / "run" / place).unlink(missing_ok=True)
    plant(tmp_path / "run" / place, victims)
    with (
        pytest.raises(FolderError, match="expected no link that leads out of this folder"),
        folders.open_run(tmp_path / "run", cfg, base=cfg, overwrite=False),
    ):
        pass


@pytest.mark.parametrize("place", RUN_PATHS)
def test_overwriting_a_run_deletes_its_links_and_not_their_targets(place: str, victims: Path, tmp_path: Path) -> None:
    cfg = {"name": "x", "folder": str(tmp_path / "run"), "seed": 1}
    folders.prepare(tmp_path / "run", cfg, base=cfg, overwrite=False)
    (tmp_path / "run" / place).unlink(missing_ok=True)
    plant(tmp_path / "run" / place, victims)
    is_refused = place == ".lock"
    with (
        pytest.raises(FolderLockedError, match="delete the link") if is_refused else nullcontext(),
        folders.open_run(tmp_path / "run", cfg, base=cfg, overwrite=True),
    ):
        pass


@pytest.mark.parametrize("place", [place for place in RUN_PATHS if place.startswith("evaluation")])
def test_an_evaluation_writes_through_no_link(place: str, victims: Path, tmp_path: Path) -> None:
    plant(tmp_path / "run" / place, victims)
    for words in ([], [f"out={tmp_path / 'run/evaluation'}"] if place != "evaluation" else []):
        cfg = compose([f"run={tmp_path / 'run'}", *words], config_name="eval", config_dir=ROOT / "conf")
        with pytest.raises(FolderError, match="expected no link that leads out of this folder"):
            execute_evaluation(cfg)


@pytest.mark.parametrize("place", SWEEP_PATHS)
def test_a_sweep_writes_through_no_link(place: str, victims: Path, tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    from circuitvlm.training.sweep.search import Study

    settings = {"metric": "loss", "direction": "minimize", "n_trials": 1, "seed": 0, "startup": 1, "parallel": 1}
    fixed = OmegaConf.create({"name": "x", "runs": str(tmp_path), "rate": 1})
    space = OverridesParser.create().parse_overrides(["rate=1,2"])
    study = Study(fixed, space=space, settings=Settings(**settings, prune_after=None, prune_from=0))
    plant(study.folder / place, victims)
    with pytest.raises(FolderError, match="expected no link that leads out of this folder"), study:
        pass


@pytest.mark.parametrize("place", EXPORT_PATHS)
def test_an_export_writes_through_no_link(place: str, victims: Path, tmp_path: Path) -> None:
    if place != "config.json":
        (tmp_path / "target").mkdir()
        (tmp_path / "target/config.json").write_text("{}")
    plant(tmp_path / "target" / place, victims)
    with pytest.raises(FolderError, match="expected no link that leads out of this folder"):
        export_run(tmp_path / "run", tmp_path / "target", dtype="float32")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A finished run that a report shows."""
    folder = tmp_path / "runs/x"
    cfg = {"name": "study", "folder": str(folder), "seed": 0}
    folders.prepare(folder, cfg, base=cfg, overwrite=False)
    (folder / "replies/test").mkdir(parents=True)
    items = tuple(Item(id=str(k), task="t", tags={}, reply="", wanted="", scores={"exact": k % 2}) for k in range(6))
    Grades(items).save(folder / "replies/test/scores.json")
    folders.finish(folder, {})
    return folder


@pytest.mark.parametrize("place", REPORT_PATHS)
def test_a_report_writes_through_no_link(place: str, victims: Path, run: Path) -> None:
    plant(run.parent / place, victims)
    result = CliRunner().invoke(app, ["report", str(run.parent)])
    assert result.exit_code == 2
    assert "expected no link that leads out of this folder" in result.stderr


def test_a_report_elsewhere_replaces_a_link(victims: Path, run: Path, tmp_path: Path) -> None:
    plant(tmp_path / "out/test-t-exact.png", victims)
    plant(tmp_path / "out/report.md", victims)
    result = CliRunner().invoke(app, ["report", str(run.parent), "--out", str(tmp_path / "out")])
    assert result.exit_code == 0, result.stderr
    assert not any(path.is_symlink() for path in (tmp_path / "out").iterdir())


def test_bytes_are_never_written_through_a_link(victims: Path, tmp_path: Path) -> None:
    plant(tmp_path / "x.png", victims)
    folders.write_atomic(tmp_path / "x.png", b"new")
    assert (tmp_path / "x.png").read_bytes() == b"new"


def test_links_that_lead_to_themselves_end(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/loop").symlink_to("loop")
    (tmp_path / "run/a").symlink_to(".")
    refuse_links(tmp_path / "run")
    with lock_folder(tmp_path / "run"):
        assert (tmp_path / "run" / LOCK_FILE).read_text().startswith(f"process {os.getpid()} on ")
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["a", "loop"]


def test_folders_with_links_to_themselves_are_read_once(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b", "c"):
        (run / name).symlink_to(".")
    walk: Callable[..., Iterator[object]] = os.walk
    steps = 50
    monkeypatch.setattr(os, "walk", lambda *a, **k: itertools.islice(walk(*a, **k), steps + 1))
    assert find_runs([run.parent, run.parent]) == [run]
    assert sum(1 for _ in itertools.islice(walk(run.parent, followlinks=True), steps)) == steps
