"""Check that exchanged model files or data refuse a resume, and that grading and loading warn of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from circuitvlm.runtime.config.check import check, check_evaluation
from circuitvlm.runtime.config.compose import compose
from circuitvlm.runtime.folders import identity, provenance
from circuitvlm.runtime.folders.run_folder import FINISHED_FILE
from circuitvlm.runtime.folders.saved_file import FolderError
from circuitvlm.training.assemble import trained_run
from circuitvlm.training.execute import execute, execute_evaluation

ROOT = Path(__file__).parents[2]
WORDS = [
    "~experiment", "data=scienceqa", "task=[rationale]", "model=lavin_new", "adapter=lora", "precision=32-true",
    "eval_splits=[test]", "eval_items=1", "max_steps=1", "validate_items=1", "global_batch_size=2",
    "micro_batch_size=1", "max_new_tokens=2", "num_workers=0", "logger={}", "callback={}", "baselines={}",
    "model.shape={hidden: 32, layers: 2, heads: 2, kv_heads: 2, intermediate: 64, vision_hidden: 48, vision_heads: 2}",
]  # fmt: skip


def train(home: Path, *words: str) -> None:
    folders = [f"folder={home / 'run'}", f"model.cache={home / 'cache'}", f"data.scienceqa.root={home / 'data'}"]
    cfg = compose([*WORDS, *folders, *words], config_dir=ROOT / "conf")
    check(cfg)
    execute(cfg, base=cfg, baseline_configs={})


def change_tower(home: Path) -> None:
    (path,) = (home / "cache").glob("blank-*/vision/preprocessor_config.json")
    path.write_text(path.read_text().replace("{", "{ ", 1))


def change_picture(home: Path) -> None:
    """Change one byte of each picture of the test split, which keeps its size."""
    for path in (home / "data").glob("**/*.png"):
        content = bytearray(path.read_bytes())
        content[-5] ^= 1
        path.write_bytes(content)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("identity")
    shutil.copytree(ROOT / "tests/fixtures/scienceqa", home / "data")
    train(home)
    return home


@pytest.fixture
def home(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of a finished run with its data and its model; the paths in its config are those of the copy."""
    shutil.copytree(finished, tmp_path / "home")
    for path in (tmp_path / "home/run").rglob("*.yaml"):
        path.write_text(path.read_text().replace(str(finished), str(tmp_path / "home")))
    monkeypatch.setenv("CIRCUITVLM_CACHE", str(tmp_path / "home/cache"))
    return tmp_path / "home"


CHANGES = [(change_tower, "model.vision: expected untrained"), (change_picture, "data.test.scienceqa: expected (")]


@pytest.mark.parametrize(("change", "message"), CHANGES)
def test_exchanged_files_refuse_a_resume(home: Path, change: Callable[[Path], None], message: str) -> None:
    (home / "run" / FINISHED_FILE).unlink()
    train(home)  # unchanged: it goes on
    (home / "run" / FINISHED_FILE).unlink()
    change(home)
    with pytest.raises(FolderError, match="allow_changed=true") as error:
        train(home)
    assert message in str(error.value)
    train(home, "allow_changed=true")
    (home / "run" / FINISHED_FILE).unlink()
    train(home)  # the files that were allowed are those of the run now


def test_grading_warns_of_an_exchanged_model_and_of_exchanged_data(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def grade() -> str:
        caplog.clear()
        cfg = compose([f"run={home / 'run'}"], config_name="eval", config_dir=ROOT / "conf")
        check_evaluation(cfg)
        execute_evaluation(cfg)
        return caplog.text

    assert "was trained with another file" not in grade()
    for change, _ in CHANGES:
        change(home)
    text = grade()
    for _, message in CHANGES:
        assert text.count(message) == 1, text


def test_the_message_names_both_models(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder,) = (home / "cache").glob("blank-*")
    shutil.copytree(folder, home / "other")
    (home / "other/special.json").write_text("{}")
    run = trained_run(home / "run", changes={})
    run.warn_of_changes({"model": {"weights": {"name": "other", **identity.folder_fingerprint(home / "other")}}})
    (line,) = (record.getMessage() for record in caplog.records if record.levelname == "WARNING")
    assert "model.weights: expected untrained (" in line
    assert "got other (" in line


def test_a_folder_is_identified_by_names_and_contents_of_what_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    first = identity.folder_fingerprint(tmp_path)
    (tmp_path / "README.md").write_text("text")
    (tmp_path / provenance.FILE).write_text("{}")
    assert identity.folder_fingerprint(tmp_path) == first
    blob = tmp_path / "blobs" / ("0" * 64)
    blob.parent.mkdir()
    blob.write_bytes(b"weights")
    (tmp_path / "model.safetensors").symlink_to(blob)
    linked = identity.folder_fingerprint(tmp_path)
    assert linked["files"] == 2
    assert linked["sha256"] != first["sha256"]
    blob.write_bytes(b"anything")  # the hub's cache names a file by its content, so it is not read
    assert identity.folder_fingerprint(tmp_path) == linked


@pytest.mark.parametrize("content", ["", "[]", "{", '"text"'])
def test_a_damaged_record_is_an_error_that_names_the_file(tmp_path: Path, content: str) -> None:
    (tmp_path / provenance.FILE).write_text(content)
    with pytest.raises(FolderError, match=provenance.FILE):
        provenance.read(tmp_path)


def test_only_fingerprints_that_both_sides_have_are_compared() -> None:
    old = {"data": {"train": {"a": {"examples": 2, "sha256": "x"}}}, "model": {"weights": {"name": "w", "sha256": "1"}}}
    new = json.loads(json.dumps(old))
    assert identity.differences(old, new) == []
    assert identity.differences({}, new) == identity.differences(old, {}) == []
    new["data"]["test"] = {"a": {"examples": 2, "sha256": "y"}}
    assert identity.differences(old, new) == []
    new["data"]["train"]["a"]["sha256"] = "z"
    assert identity.differences(old, new) == [
        "data.train.a: expected (2 examples, sha256 x), got (2 examples, sha256 z)"
    ]
