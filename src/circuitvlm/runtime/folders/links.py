"""Refuse links inside a folder that somebody else may have written: a file that is written must stay inside it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TextIO

from circuitvlm.runtime.folders.saved_file import FolderError


def refuse_links(folder: Path) -> None:
    """Raise FolderError for a link inside the folder that leads out of it. The folder itself may be a link.

    Writing through such a link would change a file elsewhere.
    """
    root = folder.resolve()
    for parent, folder_names, file_names in os.walk(root):
        for name in (*folder_names, *file_names):
            path = Path(parent, name)
            if path.is_symlink() and not path.resolve().is_relative_to(root):
                raise FolderError(
                    f"{folder}: expected no link that leads out of this folder, got {path.relative_to(root)} -> "
                    f"{path.readlink()}; delete the link, or make the whole folder a link to another disk"
                )


def open_new(path: Path) -> TextIO:
    """Open a file for writing text in UTF-8, never through a link: what has this name before is deleted."""
    path.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL  # with O_EXCL a link is an error
    return os.fdopen(os.open(path, flags, 0o666), "w", encoding="utf-8")
