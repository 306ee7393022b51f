"""Fetch data sets of the Hugging Face hub: list a data set once, then download the files that are needed."""

from __future__ import annotations

import json
import logging
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub import errors as hub_errors

DATASET_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
PATTERNS_PER_DOWNLOAD = 200
"""The hub's library compares each pattern with every file, and caches only few compiled patterns."""

_HUB_ERRORS = (OSError, ValueError, hub_errors.HTTPError)  # type: ignore[attr-defined]  # of httpx or httpx2, by version
log = logging.getLogger(__name__)


class FetchError(ValueError):
    """A data set that cannot be fetched; the message says how to fetch it by hand."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A folder, and its selected files as POSIX paths relative to it."""

    folder: Path
    files: tuple[str, ...]


def is_dataset_name(text: str) -> bool:
    """Whether the text has the form `owner/name`."""
    return DATASET_NAME.fullmatch(text) is not None


def fetch_dataset(
    name: str, *, revision: str, cache: Path, select: Callable[[Sequence[str]], Iterable[str]] | None = None
) -> Snapshot:
    """Download the data set `owner/name` at a branch, tag or commit into `cache`; `select` picks from its file list.

    The list and its commit are stored on first use. So every later run reads the same files, and it needs no network
    once they are all there. A file that is there is not downloaded again. Raises FetchError.
    """
    if not is_dataset_name(name):
        raise FetchError(f"expected the name of a data set of the hub, owner/name, got {name!r}")
    home = cache / name.replace("/", "--")
    commit, files = _list_files(name, revision=revision, home=home)
    folder = home / commit
    selection = tuple(files if select is None else select(files))
    missing_files = {file for file in selection if not (folder / file).is_file()}
    if missing_files:
        log.info("%s: %d of %d files are not here yet", name, len(missing_files), len(selection))
        patterns = list(_download_patterns(files, missing_files))
        for start in range(0, len(patterns), PATTERNS_PER_DOWNLOAD):
            with _hub_access(name, commit, folder):
                snapshot_download(
                    name,
                    repo_type="dataset",
                    revision=commit,
                    local_dir=folder,
                    allow_patterns=patterns[start : start + PATTERNS_PER_DOWNLOAD],
                )
        failures = sorted(file for file in missing_files if not (folder / file).is_file())
        if failures:
            raise FetchError(
                f"{name}: expected {len(missing_files)} more files, got all but {len(failures)}, as {failures[0]!r}; "
                "the same command resumes the download"
            )
    return Snapshot(folder, selection)


def _list_files(name: str, *, revision: str, home: Path) -> tuple[str, list[str]]:
    """The commit and its files, from the list that the first use has stored, or from the hub."""
    path = home / f"{re.sub(r'[^A-Za-z0-9.-]', '_', revision)}.json"
    if not path.is_file():
        with _hub_access(name, revision, home / revision):
            commit = HfApi().dataset_info(name, revision=revision).sha or revision
            files = HfApi().list_repo_files(name, repo_type="dataset", revision=commit)
        home.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        temporary.write_text(json.dumps({"commit": commit, "files": sorted(files)}), encoding="utf-8")
        os.replace(temporary, path)
    content = json.loads(path.read_text(encoding="utf-8"))
    return str(content["commit"]), [str(file) for file in content["files"]]


@contextmanager
def _hub_access(name: str, revision: str, folder: Path) -> Iterator[None]:
    """Raise FetchError for an error of the hub; it says how to fetch the data set by hand."""
    try:
        yield
    except _HUB_ERRORS as error:
        command = f"hf download {name} --repo-type dataset --revision {revision} --local-dir {folder}"
        raise FetchError(
            f"expected a folder or a data set of the hub, got {name!r}, which the hub does not give "
            f"({type(error).__name__}: {str(error).strip()[:200]}). Where there is a network, run `{command}`, copy "
            "the folder to this machine, and set it as `root`"
        ) from error


def _download_patterns(files: Iterable[str], missing_files: set[str]) -> Iterator[str]:
    """Yield glob patterns that match exactly the missing files: `folder/*` where all files of a folder are missing."""
    file_counts, missing_counts = (
        Counter(folder for file in group for folder in _parents(file)) for group in (files, missing_files)
    )
    paths = {
        next((folder for folder in _parents(file) if file_counts[folder] == missing_counts[folder]), file)
        for file in missing_files
    }
    for path in sorted(paths):
        literal = re.sub(r"([*?[])", r"[\1]", path)
        yield literal if path in missing_files else f"{literal}/*".removeprefix("./")


def _parents(file: str) -> list[str]:
    """The folders that contain a file, the outermost (`.`) first."""
    return [str(folder) for folder in reversed(PurePosixPath(file).parents)]
