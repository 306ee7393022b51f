"""Check the record of where a run came from, in a git repository and outside of one."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from circuitvlm.runtime.folders.provenance import FILE, copy, git_state, record, write


def commit(folder: Path) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["add", "."], [*identity, "commit", "-q", "-m", "x"]):
        subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True)


def test_a_record_is_plain_and_complete(tmp_path: Path) -> None:
    content = record(root=tmp_path)
    assert content["commit"] is None
    assert content["versions"]["circuitvlm"]
    assert content["cpus"] >= 1
    assert {"python", "platform", "command", "time"} <= content.keys()
    json.dumps(content)


def test_every_start_is_noted_and_the_adapter_has_it_too(tmp_path: Path) -> None:
    for count in (1, 2, 3):
        write(tmp_path, fingerprints={"data": {"train": {"circuits": {"examples": count}}}})
    content = json.loads((tmp_path / FILE).read_text())
    assert content["data"]["train"]["circuits"]["examples"] == 3
    assert [start["data"]["train"]["circuits"]["examples"] for start in content["earlier"]] == [1, 2]
    assert all("earlier" not in start and start["versions"] for start in content["earlier"])
    (tmp_path / "adapter").mkdir()
    copy(tmp_path, tmp_path / "adapter")
    shared = json.loads((tmp_path / "adapter" / FILE).read_text())
    assert "machine" in content
    assert "command" in content
    private = {"machine", "platform", "command"}
    for start, own in zip([shared, *shared["earlier"]], [content, *content["earlier"]], strict=True):
        assert not private & start.keys()
        assert {k: v for k, v in own.items() if k not in private | {"earlier"}} == {
            k: v for k, v in start.items() if k != "earlier"
        }
    assert shared["data"] == content["data"]
    copy(tmp_path / "elsewhere", tmp_path)  # what has no provenance gives none


def test_commit_and_dirt(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("1")
    commit(tmp_path)
    clean = git_state(tmp_path)
    assert clean["commit"] is not None
    assert len(clean["commit"]) == 40
    assert clean["dirty"] is None
    (tmp_path / "a.py").write_text("2")
    state = git_state(tmp_path)
    assert state["commit"] == clean["commit"]
    assert state["dirty"] is not None
    (tmp_path / "a.py").write_text("3")
    assert git_state(tmp_path)["dirty"] != state["dirty"]


def test_a_repository_that_merely_lies_around_us_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("1")
    commit(tmp_path)
    (tmp_path / "venv").mkdir()
    assert git_state(tmp_path / "venv") == {"commit": None, "dirty": None}


def test_a_machine_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert record()["commit"] is None
