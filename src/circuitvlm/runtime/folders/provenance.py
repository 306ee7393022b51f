"""Record the code, the libraries, the data and the machine that a run used."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from circuitvlm.runtime.folders.run_folder import write_atomic
from circuitvlm.runtime.folders.saved_file import read_json

FILE = "provenance.json"
PRIVATE_KEYS = ("machine", "platform", "command")
"""What stays in the folder of the run, since it tells about its owner."""

PACKAGES = (
    "circuitvlm", "torch", "lightning", "transformers", "peft", "accelerate", "bitsandbytes", "torchmetrics",
    "hydra-core", "omegaconf", "numpy", "networkx", "scipy", "pillow", "safetensors", "tokenizers", "deepspeed",
)  # fmt: skip


def write(folder: Path, *, fingerprints: Mapping[str, Any]) -> None:
    """Record this start of a run, with the fingerprints of its base and data; earlier starts are under `earlier`."""
    last = read(folder)
    earlier = [*last.pop("earlier", []), last] if last else []
    content = {**record(), **fingerprints, "earlier": earlier}
    write_atomic(folder / FILE, json.dumps(content, indent=2, default=str) + "\n")


def read(folder: Path) -> dict[str, Any]:
    """The last record in the folder of a run or an adapter; empty where there is none. Raises FolderError."""
    path = folder / FILE
    content: dict[str, Any] = read_json(path, dict) if path.is_file() else {}
    return content


def copy(run: Path, folder: Path) -> None:
    """Copy the provenance of a run into an adapter's folder, which may be given away: without machine and command."""
    if content := read(run):
        starts = [content, *content["earlier"]]
        for start in starts:
            for key in PRIVATE_KEYS:
                start.pop(key, None)
        write_atomic(folder / FILE, json.dumps(content, indent=2) + "\n")


def record(*, root: Path | None = None) -> dict[str, Any]:
    """What is needed to repeat the run, in plain values; outside of a git repository the commit is None."""
    return {
        **git_state(root or Path(__file__).resolve().parents[2]),
        "versions": package_versions(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.node(),
        "cpus": os.cpu_count(),
        "command": list(sys.argv),
        "time": datetime.now(tz=UTC).isoformat(timespec="seconds"),
    }


def git_state(root: Path) -> dict[str, str | None]:
    """The commit, and a hash of the uncommitted changes; None without changes, and outside of a repository."""
    unknown: dict[str, str | None] = {"commit": None, "dirty": None}
    if not _git(root, "ls-files", "--", "."):  # no repository, or one that does not track the installation
        return unknown
    commit = _git(root, "rev-parse", "HEAD")
    if commit is None:
        return unknown
    status = _git(root, "status", "--porcelain", "--untracked-files=all", "--", ":/") or b""
    changes = status + (_git(root, "diff", "HEAD", "--", ":/") or b"")
    return {"commit": commit.decode().strip(), "dirty": hashlib.sha256(changes).hexdigest()[:12] if changes else None}


def _git(root: Path, *arguments: str) -> bytes | None:
    """The output of a git command, or None where it fails or git is not installed."""
    command = ["git", "-C", str(root), *arguments]
    try:
        return subprocess.run(command, capture_output=True, check=True, timeout=30).stdout
    except (OSError, subprocess.SubprocessError):
        return None


def package_versions() -> dict[str, str | None]:
    """Version by package; None for a package that is not installed."""
    versions: dict[str, str | None] = dict.fromkeys(PACKAGES)
    for package in PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return versions
