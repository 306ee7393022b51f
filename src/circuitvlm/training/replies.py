"""Where do replies lie between generating and grading? One JSON line each, one file a rank."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from circuitvlm.core.record import Reply

FILES = "replies.*.jsonl"


class ReplyWriter:
    """A fresh `<folder>/replies.<rank>.jsonl`; a reply whose id was written before is dropped."""

    def __init__(self, folder: Path, *, rank: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"replies.{rank}.jsonl"
        self.seen: set[str] = set()
        self.file = self.path.open("w", encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self.file.close()

    def write(self, replies: Iterable[Reply]) -> None:
        for reply in replies:
            if reply.id not in self.seen:
                self.seen.add(reply.id)
                self.file.write(
                    json.dumps({"id": reply.id, "task": reply.task, "text": reply.text}, ensure_ascii=False) + "\n"
                )
        self.file.flush()


def read_replies(folder: Path) -> dict[str, Reply]:
    """The replies of all ranks, by id."""
    found: dict[str, Reply] = {}
    for path in sorted(folder.glob(FILES)):
        for line in path.read_bytes().splitlines():  # str.splitlines cuts at U+2028 too
            reply = Reply(**json.loads(line))
            found.setdefault(reply.id, reply)
    return found


def forget_replies(folder: Path) -> None:
    """Remove what an earlier run said."""
    for path in folder.glob(FILES):
        path.unlink()
