"""Write and read generated replies: one JSON line for each, one file for each rank."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path

from circuitvlm.core.record import Reply
from circuitvlm.runtime.folders.links import open_new
from circuitvlm.runtime.folders.saved_file import FolderError

FILES = "replies.*.jsonl"


class ReplyWriter(AbstractContextManager["ReplyWriter"]):
    """Writes a new `<folder>/replies.<rank>.jsonl`, and drops a second reply with the same id."""

    def __init__(self, folder: Path, *, rank: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"replies.{rank}.jsonl"
        self.ids: set[str] = set()
        self.file = open_new(self.path)

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self.file.close()

    def write(self, replies: Iterable[Reply]) -> None:
        """Append replies, and flush them: a killed process has written all."""
        for reply in replies:
            if reply.id not in self.ids:
                self.ids.add(reply.id)
                self.file.write(json.dumps(asdict(reply), ensure_ascii=False) + "\n")
        self.file.flush()


def read_replies(folder: Path) -> dict[str, Reply]:
    """Id -> reply, of all ranks; of two with the same id, that of the lower rank."""
    replies: dict[str, Reply] = {}
    for path in sorted(folder.glob(FILES)):
        for line in path.read_bytes().splitlines():  # str.splitlines cuts at U+2028 too
            try:
                reply = Reply(**json.loads(line))
            except (TypeError, ValueError, RecursionError) as error:
                raise FolderError(
                    f"{path}: expected a reply as JSON on each line, got {line[:80]!r} ({error}); delete the file, and "
                    "generate the replies again"
                ) from error
            replies.setdefault(reply.id, reply)
    return replies


def delete_replies(folder: Path) -> None:
    """Delete the replies of an earlier run."""
    for path in folder.glob(FILES):
        path.unlink()
