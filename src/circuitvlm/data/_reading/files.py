"""Read the text, JSON and paths of a data set with limits on size, since they may come from untrusted authors."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

MAX_JSON_BYTES, MAX_TEXT_BYTES = 200_000_000, 1_000_000
BOM = b"\xef\xbb\xbf"
"""The byte order mark of UTF-8."""


class DataFileError(ValueError):
    """A file that a data set needs cannot be read; the message names the file and, for JSON, the byte."""


class UnusableError(ValueError):
    """An item cannot be used.

    The text is the reason in a few words without values, since items are counted by it; `got` is the offending value.
    """

    def __init__(self, reason: str, got: object) -> None:
        super().__init__(reason)
        self.got = got


def list_files(root: Path) -> Iterator[str]:
    """The files below a folder as sorted POSIX paths relative to it, without hidden folders and files."""
    for folder, subfolders, files in os.walk(root):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        relative_folder = Path(folder).relative_to(root).as_posix()
        for name in sorted(files):
            if not name.startswith("."):
                yield name if relative_folder == "." else f"{relative_folder}/{name}"


def resolve_inside(folder: Path, relative_path: str) -> Path:
    """The path of a file given relative to a folder. Raises UnusableError for a path that leads out of the folder."""
    path = PurePosixPath(relative_path.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or re.match(r"[A-Za-z]:", relative_path) or "\0" in relative_path:
        raise UnusableError("path leads out of the folder", relative_path)
    return folder / path


def read_text(path: Path) -> str:
    """The text of a file. Raises UnusableError for a file over 1 MB."""
    if path.stat().st_size > MAX_TEXT_BYTES:
        raise UnusableError("text file too large", path)
    return decode(path.read_bytes())


def decode(raw: bytes) -> str:
    """Decode UTF-8, else cp1252 (its five undefined bytes become U+FFFD), without a byte order mark."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.removeprefix(BOM).decode("cp1252", errors="replace")


def read_json(path: Path) -> Any:
    """The value of a JSON file. Raises UnusableError for a file over 200 MB and DataFileError for invalid JSON."""
    if path.stat().st_size > MAX_JSON_BYTES:
        raise UnusableError("JSON file too large", path)
    raw = path.read_bytes()
    return parse_json(decode(raw), path=path, offset=len(BOM) if raw.startswith(BOM) else 0)


def parse_json(text: str, *, path: Path, offset: int = 0) -> Any:
    """The value of a JSON text, which is in `path` from byte `offset` on. Raises DataFileError for invalid JSON."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        byte = offset + len(text[: error.pos].encode("utf-8", errors="replace"))
        raise DataFileError(f"{path}: invalid JSON from byte {byte} on ({error.msg})") from error
    except (RecursionError, ValueError) as error:
        raise DataFileError(f"{path}: unreadable JSON from byte {offset} on ({error})") from error


def write_atomically(path: Path, raw: bytes) -> None:
    """Write a file so that other processes, which may write the same bytes, see all of it or nothing."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    temporary.write_bytes(raw)
    os.replace(temporary, path)


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """A sort key that orders numbers within names by value: q2 before q10."""
    return [
        (0, int(number), "") if number else (1, 0, word)
        for number, word in re.findall(r"([0-9]{1,18})|([^0-9]+)", name)
    ]
