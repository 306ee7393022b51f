"""Find the files of a data set in a folder or on the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from circuitvlm.data._reading.files import DataFileError, list_files
from circuitvlm.runtime import hub


def find_files(
    root: str, *, source: str, revision: str, cache: Path, select: Callable[[Sequence[str]], Iterable[str]]
) -> tuple[Path, Sequence[str]]:
    """A folder, and its files as POSIX paths relative to it.

    `root` is a folder, or owner/name of a data set on the hub: of this, the files that `select` picks of its list are
    downloaded into `cache` at `revision`. Raises DataFileError, hub.FetchError.
    """
    folder = Path(root).expanduser()
    if folder.is_dir():
        return folder, tuple(list_files(folder))
    if not hub.is_dataset_name(root):
        raise DataFileError(f"{source}.root: expected a folder, or owner/name of a data set on the hub, got {root!r}")
    snapshot = hub.fetch_dataset(root, revision=revision, cache=cache / "hub", select=select)
    return snapshot.folder, snapshot.files
