"""Identify the files of a base model, and compare what a run was trained on with what it is given now."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

PATTERNS = ("*.safetensors", "*.bin", "*.json", "*.jinja", "*.model", "*.txt")
"""The files of a checkpoint's folder that decide what the model computes: weights, configuration and tokenizer."""

_SHA256 = re.compile(r"[0-9a-f]{64}")


def folder_fingerprint(folder: Path) -> dict[str, int | str]:
    """Count, and SHA-256 of the names and contents of the files in PATTERNS; provenance.json is left out.

    A large file in the hub's cache is named by its SHA-256, and not read.
    """
    paths = {path.name: path for pattern in PATTERNS for path in folder.glob(pattern) if path.is_file()}
    paths.pop("provenance.json", None)  # it tells when a folder was written, and changes nothing
    digest = hashlib.sha256()
    for name, path in sorted(paths.items()):
        target = path.resolve()
        is_named_by_digest = path.is_symlink() and target.parent.name == "blobs" and _SHA256.fullmatch(target.name)
        digest.update(f"{name} {target.name if is_named_by_digest else file_digest(path)}\n".encode())
    return {"files": len(paths), "sha256": digest.hexdigest()}


def file_digest(path: Path) -> str:
    """The SHA-256 of a file, in hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def differences(recorded: Mapping[str, Any], current: Mapping[str, Any]) -> list[str]:
    """One line for each fingerprint of `current` that differs from the recorded one of the same dotted key.

    A key that one side lacks is no difference: a run may be graded on further splits.
    """
    old, new = dict(_fingerprints(recorded)), dict(_fingerprints(current))
    return [
        f"{key}: expected {_describe(old[key])}, got {_describe(fingerprint)}"
        for key, fingerprint in new.items()
        if key in old and old[key]["sha256"] != fingerprint["sha256"]
    ]


def _fingerprints(content: Any, key: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Dotted key and fingerprint of each of the mappings inside `content` that has a `sha256`."""
    if not isinstance(content, Mapping):
        return
    if "sha256" in content:
        yield key, content
        return
    for name, inner in content.items():
        yield from _fingerprints(inner, f"{key}.{name}".lstrip("."))


def _describe(fingerprint: Mapping[str, Any]) -> str:
    """A fingerprint in one phrase, as `weights/tiny (9 files, sha256 1f3a5c7e9b0d)`."""
    words = [f"{fingerprint[unit]} {unit}" for unit in ("examples", "files") if unit in fingerprint]
    words.append(f"sha256 {str(fingerprint['sha256'])[:12]}")
    return f"{fingerprint.get('name', '')} ({', '.join(words)})".lstrip()
