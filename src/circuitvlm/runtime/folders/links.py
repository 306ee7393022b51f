"""Refuse links inside a folder that somebody else may have written: a file that is written must stay inside it."""

from __future__ import annotations

import os
from itertools import chain
from pathlib import Path
from typing import TextIO

from circuitvlm.runtime.folders.saved_file import FolderError


def refuse_links(folder: Path, *, within: Path | None = None) -> None:
    """Raise FolderError for a link inside the folder that leads out of it. The folder itself may be a link.

    With `within`, a folder that contains this one, neither the folder nor its links may lead out of `within`. Writing
    through such a link would change a file elsewhere.
    """
    root = os.path.realpath(within or folder)
    inner_paths = (os.path.join(parent, name) for parent, *names in os.walk(folder) for name in chain(*names))
    for path in chain([str(folder)], inner_paths):
        target = os.path.realpath(path)  # Path.resolve fails for a link to itself
        if not Path(target).is_relative_to(root):
            raise FolderError(
                f"{within or folder}: expected no link that leads out of this folder, got "
                f"{os.path.relpath(path, within or folder)} -> {target}; delete the link, or make the whole folder a "
                "link to another disk"
            )


def open_new(path: Path) -> TextIO:
    """Open a file for writing text in UTF-8, never through a link: what has this name before is deleted."""
    return os.fdopen(_create(path), "w", encoding="utf-8")


def write_new(path: Path, content: bytes) -> None:
    """Write a file and wait until it has reached the disk, never through a link."""
    with os.fdopen(_create(path), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _create(path: Path) -> int:
    """The descriptor of a new file of this name."""
    path.unlink(missing_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)  # with O_EXCL a link is an error
