"""Store a generated split on disk in chunks of items, each of which is written whole or not at all.

Any number of processes, of one run or of several, may fill the same folder at the same time. A chunk is made in a
temporary folder and then renamed. Whoever comes second drops his own copy, since the bytes are the same. The file of
all items is written last and marks the split as complete; the finished chunks of a killed process are reused.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from concurrent.futures import as_completed
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from circuitvlm.core.record import Example, Picture
from circuitvlm.data._reading.lazy import LazyExamples
from circuitvlm.runtime import worker
from circuitvlm.runtime.progress import bar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Row = dict[str, str]
MakeItem = Callable[[int], tuple[Row, bytes]]
"""Index -> the row of an item and its PNG; the path of the PNG is added to the row as "image"."""

CHUNK, ROUNDS = 250, 20
ITEMS = "items.jsonl"
STALE_S = 3600.0


def read_examples(folder: Path, *, facts: Sequence[str]) -> Sequence[Example]:
    """The examples of a complete split, each made on access.

    The columns in `facts` become facts and all others tags; `kind` is both.
    """
    return LazyExamples(read_lines(folder), partial(_make_example, folder, facts))


def _make_example(folder: Path, facts: Sequence[str], line: bytes) -> Example:
    row = json.loads(line)
    return Example(
        id=row.pop("id"),
        images=(Picture(folder / row.pop("image")),),
        facts={name: row[name] for name in facts},
        tags={name: value for name, value in row.items() if name not in facts or name == "kind"},
    )


def prepare_split(
    cache: Path,
    settings: DataclassInstance,
    *,
    version: int,
    source: str,
    split: str,
    make_item: MakeItem,
    select_distinct: Callable[[Iterable[Row]], list[Row]],
    count: int,
    num_workers: int,
) -> Path:
    """The folder of a split below `cache`, filled on first use with `count` items.

    Its name is made of the settings and the version of the code that generates them. `num_workers` processes make the
    items (0: this one). Raises ValueError if too few of the made items are distinct.
    """
    folder = cache / f"{split}-{settings_digest(settings, version=version)}"
    if (folder / ITEMS).is_file():
        return folder
    chunk_size = -(-count // -(-count // CHUNK))  # at most CHUNK, and the same for all chunks
    chunk_count = -(-count // chunk_size)
    label = f"drawing {source}/{split} (chunks of {chunk_size})"
    for _ in range(ROUNDS):
        _make_chunks(folder, make_item, chunk_count, chunk_size, num_workers=num_workers, label=label)
        rows = select_distinct(_read_rows(folder, chunk_count))[:count]
        if len(rows) == count:
            _finish(folder, rows)
            return folder
        chunk_count += -(-(count - len(rows)) // chunk_size)
    raise ValueError(
        f"{folder}: expected {count} distinct items, got {len(rows)} of {chunk_count * chunk_size} made; lower "
        "`count`, or allow a larger variety"
    )


def settings_digest(settings: DataclassInstance, *, version: int) -> str:
    """The hash of settings and of the version of the code that uses them, as a part of a folder's name."""
    text = json.dumps([version, asdict(settings)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def unique_rows(rows: Iterable[Row], key: Callable[[Row], Hashable]) -> list[Row]:
    """The first row of each key, in their order."""
    first_rows: dict[Hashable, Row] = {}
    for row in rows:
        first_rows.setdefault(key(row), row)
    return list(first_rows.values())


def read_lines(folder: Path) -> list[bytes]:
    """The rows of a complete split as lines of JSON."""
    return (folder / ITEMS).read_bytes().splitlines()


def _make_chunks(
    folder: Path, make_item: MakeItem, chunk_count: int, chunk_size: int, *, num_workers: int, label: str
) -> None:
    """Make every missing chunk. Processes that share a folder start at different chunks."""
    missing_chunks = [k for k in range(chunk_count) if not _chunk_folder(folder, k).is_dir()]
    if not missing_chunks:
        return
    start = os.getpid() % len(missing_chunks)
    missing_chunks = missing_chunks[start:] + missing_chunks[:start]
    if num_workers < 1 or len(missing_chunks) < 2:
        for k in bar(missing_chunks, label=label):
            _make_chunk(folder, make_item, k, chunk_size)
        return
    with worker.pool(num_workers) as pool:
        futures = [pool.submit(_make_chunk, folder, make_item, k, chunk_size) for k in missing_chunks]
        for future in bar(as_completed(futures), total=len(futures), label=label):
            future.result()


def _make_chunk(folder: Path, make_item: MakeItem, k: int, chunk_size: int) -> None:
    final = _chunk_folder(folder, k)
    if final.is_dir():
        return
    temporary = folder / f"{k:04d}-{uuid.uuid4().hex}.tmp"
    temporary.mkdir(parents=True)
    rows = []
    for index in range(k * chunk_size, (k + 1) * chunk_size):
        row, png = make_item(index)
        (temporary / f"{index:06d}.png").write_bytes(png)
        rows.append(row | {"image": f"images/{k:04d}/{index:06d}.png"})
    _write_rows(temporary / ITEMS, rows)
    final.parent.mkdir(exist_ok=True)
    os.sync()  # else a power loss leaves empty files under the final name
    try:
        os.rename(temporary, final)
    except OSError:
        if not final.is_dir():
            raise
        shutil.rmtree(temporary)  # another process was faster


def _chunk_folder(folder: Path, k: int) -> Path:
    return folder / "images" / f"{k:04d}"


def _read_rows(folder: Path, chunk_count: int) -> Iterator[Row]:
    for k in range(chunk_count):
        for line in (_chunk_folder(folder, k) / ITEMS).read_text(encoding="utf-8").splitlines():
            yield json.loads(line)


def _write_rows(path: Path, rows: Iterable[Row]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def _finish(folder: Path, rows: Iterable[Row]) -> None:
    """Write the file of items at once, and remove the old temporary folders of killed processes."""
    temporary = folder / f"{ITEMS}-{uuid.uuid4().hex}.tmp"
    _write_rows(temporary, rows)
    os.sync()
    os.replace(temporary, folder / ITEMS)
    for leftover in folder.glob("*.tmp"):
        if leftover.is_dir() and time.time() - leftover.stat().st_mtime > STALE_S:
            shutil.rmtree(leftover, ignore_errors=True)
