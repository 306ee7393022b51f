"""What do the files of a data set say? Text, JSON and paths that come from elsewhere, read within bounds."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

MAX_JSON_BYTES, MAX_TEXT_BYTES = 200_000_000, 1_000_000
_BOM = b"\xef\xbb\xbf"


class DataFileError(ValueError):
    """A file that a data set stands on and that cannot be read; the message names it, and the byte."""


class UnusableError(ValueError):
    """An item that cannot be used. Its text is the reason, in few words, for items are counted by it."""


def walk(root: Path) -> Iterator[str]:
    """The files below a folder as POSIX paths relative to it, sorted; hidden folders and files are left out."""
    for folder, below, files in os.walk(root):
        below[:] = sorted(name for name in below if not name.startswith("."))
        here = Path(folder).relative_to(root).as_posix()
        for name in sorted(files):
            if not name.startswith("."):
                yield name if here == "." else f"{here}/{name}"


def within(folder: Path, stated: str) -> Path:
    """The path that a file states relative to a folder. Raises UnusableError where it would lead out of it."""
    path = PurePosixPath(stated.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or re.match(r"[A-Za-z]:", stated) or "\0" in stated:
        raise UnusableError("path leads out of the folder")
    return folder / path


def text_of(path: Path) -> str:
    """The text of a small file. Raises UnusableError for one over a megabyte."""
    if path.stat().st_size > MAX_TEXT_BYTES:
        raise UnusableError("text file too large")
    return decoded(path.read_bytes())


def decoded(raw: bytes) -> str:
    """UTF-8, else cp1252 (its five undefined bytes become U+FFFD); without a byte order mark."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.removeprefix(_BOM).decode("cp1252", errors="replace")


def json_of(path: Path) -> Any:
    """What a JSON file states. Raises UnusableError for one over 200 MB, DataFileError for one that is broken."""
    if path.stat().st_size > MAX_JSON_BYTES:
        raise UnusableError("JSON file too large")
    raw = path.read_bytes()
    return parsed(decoded(raw), path=path, begin=len(_BOM) if raw.startswith(_BOM) else 0)


def parsed(text: str, *, path: Path, begin: int = 0) -> Any:
    """The value of a JSON text that stands in `path` from byte `begin` on. Raises DataFileError."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        byte = begin + len(text[: error.pos].encode("utf-8", errors="replace"))
        raise DataFileError(f"{path}: no JSON from byte {byte} on ({error.msg})") from error
    except (RecursionError, ValueError) as error:
        raise DataFileError(f"{path}: JSON that cannot be read from byte {begin} on ({error})") from error


def natural(name: str) -> list[tuple[int, int, str]]:
    """A sort key under which q2 comes before q10."""
    parts = re.findall(r"([0-9]{1,18})|([^0-9]+)", name)
    return [(0, int(number), "") if number else (1, 0, word) for number, word in parts]
