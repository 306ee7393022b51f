"""How does a generated split come to lie on disk? In chunks, each of which appears whole or not at all.

Any number of processes, of one run or of several, may fill the same folder at the same time: a chunk is made in a
folder of its own and then renamed, and whoever comes second throws his away, since the bytes are the same. The file of
all items is written last and says that the split is whole; what a killed process has finished is kept.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import as_completed
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, overload

from circuitvlm.core.record import Example, Picture
from circuitvlm.runtime import worker
from circuitvlm.runtime.progress import bar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Row = dict[str, str]
Make = Callable[[int], tuple[Row, bytes]]
"""Index -> the row of an item and its PNG; where the PNG lies is added to the row as "image"."""

CHUNK, ROUNDS = 250, 20
ITEMS = "items.jsonl"
STALE_S = 3600.0


class Lazy(ABC, Sequence[Example]):
    """Examples that are made when they are asked for: a subclass says how many, and makes number `place`."""

    @abstractmethod
    def one(self, place: int) -> Example: ...

    @overload
    def __getitem__(self, index: int) -> Example: ...

    @overload
    def __getitem__(self, index: slice) -> list[Example]: ...

    def __getitem__(self, index: int | slice) -> Example | list[Example]:
        places = range(len(self))[index]
        return self.one(places) if isinstance(places, int) else [self.one(place) for place in places]


class Examples(Lazy):
    """The rows of a finished split; a row is parsed when it is asked for.

    What is no fact is a tag; the `kind` is both.
    """

    def __init__(self, folder: Path, *, facts: Sequence[str]) -> None:
        self.folder, self.facts = folder, facts
        self._rows = lines(folder)

    def __len__(self) -> int:
        return len(self._rows)

    def one(self, place: int) -> Example:
        row = json.loads(self._rows[place])
        return Example(
            id=row.pop("id"),
            images=(Picture(self.folder / row.pop("image")),),
            facts={name: row[name] for name in self.facts},
            tags={name: said for name, said in row.items() if name not in self.facts or name == "kind"},
        )


def kept(
    cache: Path,
    settings: DataclassInstance,
    *,
    version: int,
    source: str,
    split: str,
    make: Make,
    distinct: Callable[[Iterable[Row]], list[Row]],
    count: int,
    workers: int,
) -> Path:
    """The folder under `cache` of a split by its settings and this version of the code, filled on first use."""
    text = json.dumps([version, asdict(settings)], sort_keys=True)
    folder = cache / f"{split}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    if not (folder / ITEMS).is_file():
        label = f"drawing {source}/{split}"
        _fill(folder, make=make, distinct=distinct, count=count, workers=workers, label=label)
    return folder


def lines(folder: Path) -> list[bytes]:
    """The rows of a finished split, still as JSON."""
    return (folder / ITEMS).read_bytes().splitlines()


def _fill(
    folder: Path,
    *,
    make: Make,
    distinct: Callable[[Iterable[Row]], list[Row]],
    count: int,
    workers: int,
    label: str,
) -> None:
    """Makes the first `count` items that `distinct` leaves of make(0), make(1), ..; by `workers` processes, or here."""
    size = _chunk_size(count)
    chunks = -(-count // size)
    for _ in range(ROUNDS):
        _make_chunks(folder, make, chunks=chunks, size=size, workers=workers, label=label)
        rows = distinct(_rows(folder, chunks=chunks))[:count]
        if len(rows) == count:
            _finish(folder, rows)
            return
        chunks += -(-(count - len(rows)) // size)
    raise ValueError(
        f"{folder}: wanted {count} distinct items, but {chunks * size} tries gave {len(rows)}; "
        "ask for fewer, or for a larger variety"
    )


def _chunk_size(count: int) -> int:
    """Items of a folder and of a worker's task: at most CHUNK, and all alike."""
    return -(-count // -(-count // CHUNK))


def _make_chunks(folder: Path, make: Make, *, chunks: int, size: int, workers: int, label: str) -> None:
    """Every chunk that is missing. Processes that share the work begin at different places."""
    missing = [k for k in range(chunks) if not _chunk(folder, k).is_dir()]
    if not missing:
        return
    turn = os.getpid() % len(missing)
    missing = missing[turn:] + missing[:turn]
    label = f"{label} (chunks of {size})"
    if workers < 1 or len(missing) < 2:
        for k in bar(missing, label=label):
            _make_chunk(folder, make, k, size)
        return
    with worker.pool(workers) as pool:
        waiting = [pool.submit(_make_chunk, folder, make, k, size) for k in missing]
        for done in bar(as_completed(waiting), total=len(waiting), label=label):
            done.result()


def _make_chunk(folder: Path, make: Make, k: int, size: int) -> None:
    final = _chunk(folder, k)
    if final.is_dir():
        return
    temporary = folder / f"{k:04d}-{uuid.uuid4().hex}.tmp"
    temporary.mkdir(parents=True)
    rows = []
    for index in range(k * size, (k + 1) * size):
        row, png = make(index)
        (temporary / f"{index:06d}.png").write_bytes(png)
        rows.append(row | {"image": f"images/{k:04d}/{index:06d}.png"})
    _write(temporary / ITEMS, rows)
    final.parent.mkdir(exist_ok=True)
    try:
        os.rename(temporary, final)
    except OSError:
        if not final.is_dir():
            raise
        shutil.rmtree(temporary)  # another process was faster


def _chunk(folder: Path, k: int) -> Path:
    return folder / "images" / f"{k:04d}"


def _rows(folder: Path, *, chunks: int) -> Iterator[Row]:
    for k in range(chunks):
        for line in (_chunk(folder, k) / ITEMS).read_text(encoding="utf-8").splitlines():
            yield json.loads(line)


def _write(path: Path, rows: Iterable[Row]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def _finish(folder: Path, rows: Iterable[Row]) -> None:
    """Writes the file of items at once, and removes what killed processes have left behind."""
    temporary = folder / f"{ITEMS}-{uuid.uuid4().hex}.tmp"
    _write(temporary, rows)
    os.replace(temporary, folder / ITEMS)
    for leftover in folder.glob("*.tmp"):
        if leftover.is_dir() and time.time() - leftover.stat().st_mtime > STALE_S:
            shutil.rmtree(leftover, ignore_errors=True)
