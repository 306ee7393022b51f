"""Where on this disk is a data set of the Hugging Face hub? Listed once, then downloaded as far as it is wanted."""

from __future__ import annotations

import json
import logging
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub import errors as hub_errors

NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
PATTERNS = 200
"""Patterns of one download: the hub's library compares each with every file, and keeps few of them compiled."""

_FAILURES = (OSError, ValueError, hub_errors.HTTPError)  # type: ignore[attr-defined]  # httpx's or httpx2's, by version
log = logging.getLogger(__name__)


class FetchError(ValueError):
    """A data set that cannot be fetched; the message says how to fetch it by hand."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A folder, and which of its files (POSIX paths relative to it) were asked for."""

    folder: Path
    files: tuple[str, ...]


def is_name(text: str) -> bool:
    """Whether the text has the form `owner/name`."""
    return NAME.fullmatch(text) is not None


def dataset(
    name: str, *, revision: str, cache: Path, wanted: Callable[[Sequence[str]], Iterable[str]] | None = None
) -> Snapshot:
    """The data set `owner/name` at a branch, tag or commit, below `cache`; `wanted` picks from its file list (all).

    The list and its commit are kept on first use, so every later run reads the same files, without a network once they
    are there. What was downloaded before is not downloaded again. Raises FetchError.
    """
    if not is_name(name):
        raise FetchError(f"{name!r} is no name of the hub; wanted owner/name")
    home = cache / name.replace("/", "--")
    commit, files = _listing(name, revision=revision, home=home)
    folder = home / commit
    picked = tuple(files if wanted is None else wanted(files))
    missing = {file for file in picked if not (folder / file).is_file()}
    if missing:
        log.info("%s: %d of %d files are not here yet", name, len(missing), len(picked))
        patterns = list(_patterns(files, missing))
        for start in range(0, len(patterns), PATTERNS):
            _download(name, commit=commit, folder=folder, patterns=patterns[start : start + PATTERNS])
        left = sorted(file for file in missing if not (folder / file).is_file())
        if left:
            raise FetchError(f"{name}: {len(left)} files did not come, such as {left[0]!r}; run again to go on")
    return Snapshot(folder, picked)


def _listing(name: str, *, revision: str, home: Path) -> tuple[str, list[str]]:
    """The commit and its files, from the note of the first time or from the hub."""
    note = home / f"{re.sub(r'[^A-Za-z0-9.-]', '_', revision)}.json"
    if not note.is_file():
        try:
            commit = HfApi().dataset_info(name, revision=revision).sha or revision
            files = HfApi().list_repo_files(name, repo_type="dataset", revision=commit)
        except _FAILURES as error:
            raise FetchError(_by_hand(name, revision=revision, folder=home / revision, error=error)) from error
        home.mkdir(parents=True, exist_ok=True)
        temporary = note.with_name(f"{note.name}.{os.getpid()}.tmp")
        temporary.write_text(json.dumps({"commit": commit, "files": sorted(files)}), encoding="utf-8")
        os.replace(temporary, note)
    said = json.loads(note.read_text(encoding="utf-8"))
    return str(said["commit"]), [str(file) for file in said["files"]]


def _download(name: str, *, commit: str, folder: Path, patterns: list[str]) -> None:
    try:
        snapshot_download(name, repo_type="dataset", revision=commit, local_dir=folder, allow_patterns=patterns)
    except _FAILURES as error:
        raise FetchError(_by_hand(name, revision=commit, folder=folder, error=error)) from error


def _by_hand(name: str, *, revision: str, folder: Path, error: Exception) -> str:
    command = f"hf download {name} --repo-type dataset --revision {revision} --local-dir {folder}"
    return (
        f"there is no folder {name!r} here, and the hub does not give a data set of that name "
        f"({type(error).__name__}: {str(error).strip()[:200]}). Where there is a network, run `{command}`, bring the "
        "folder here, and state it as `root`"
    )


def _patterns(files: Iterable[str], missing: set[str]) -> Iterator[str]:
    """Few patterns that cover the missing files and no other: `folder/*` where all of a folder is missing."""
    there, lacking = (Counter(folder for file in some for folder in _folders(file)) for some in (files, missing))
    whole = (next((f for f in _folders(file) if there[f] == lacking[f]), file) for file in missing)
    for path in sorted(set(whole)):
        plain = re.sub(r"([*?[])", r"[\1]", path)
        yield plain if path in missing else f"{plain}/*".removeprefix("./")


def _folders(file: str) -> list[str]:
    """The folders that a file lies in, the outermost (`.`) first."""
    return [str(folder) for folder in reversed(PurePosixPath(file).parents)]
