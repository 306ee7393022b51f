"""From which code, libraries, data and machine did a run come?"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from circuitvlm.runtime.folders.run_folder import write_atomic

FILE = "provenance.json"

PACKAGES = (
    "circuitvlm", "torch", "lightning", "transformers", "peft", "accelerate", "bitsandbytes", "torchmetrics",
    "hydra-core", "omegaconf", "numpy", "networkx", "scipy", "pillow", "safetensors", "tokenizers", "deepspeed",
)  # fmt: skip


def note(folder: Path, *, data: Mapping[str, Any]) -> None:
    """Write down this start of a run, with the fingerprints of its data; those of before stand under `earlier`."""
    path = folder / FILE
    earlier: list[Any] = []
    if path.is_file():
        last = json.loads(path.read_text(encoding="utf-8"))
        earlier = [*last.pop("earlier", []), last]
    found = {**record(), "data": dict(data), "earlier": earlier}
    write_atomic(path, json.dumps(found, indent=2, default=str) + "\n")


def copy(run: Path, folder: Path) -> None:
    """Give an adapter's folder the provenance of its run."""
    if (run / FILE).is_file():
        write_atomic(folder / FILE, (run / FILE).read_text(encoding="utf-8"))


def record(*, root: Path | None = None) -> dict[str, Any]:
    """What is needed to run it again: plain values only; outside of git the commit is None."""
    return {
        **git(root or Path(__file__).resolve().parents[2]),
        "versions": versions(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.node(),
        "cpus": os.cpu_count(),
        "command": list(sys.argv),
        "time": datetime.now(tz=UTC).isoformat(timespec="seconds"),
    }


def git(root: Path) -> dict[str, str | None]:
    """Commit, and the hash of what differs from it: None where nothing does or git does not know the folder."""
    unknown: dict[str, str | None] = {"commit": None, "dirty": None}
    if not _git(root, "ls-files", "--", "."):  # no repository, or one that merely lies around our installation
        return unknown
    commit = _git(root, "rev-parse", "HEAD")
    if commit is None:
        return unknown
    status = _git(root, "status", "--porcelain", "--untracked-files=all", "--", ":/") or b""
    changes = status + (_git(root, "diff", "HEAD", "--", ":/") or b"")
    return {"commit": commit.decode().strip(), "dirty": hashlib.sha256(changes).hexdigest()[:12] if changes else None}


def _git(root: Path, *words: str) -> bytes | None:
    """What git says, or None where it fails or does not exist."""
    command = ["git", "-C", str(root), *words]
    try:
        return subprocess.run(command, capture_output=True, check=True, timeout=30).stdout
    except (OSError, subprocess.SubprocessError):
        return None


def versions() -> dict[str, str | None]:
    """Version by package; None for one that is not installed."""
    found: dict[str, str | None] = {}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    return found
