"""Count the training images that no rank can read, and stop the run when there are too many."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from circuitvlm.core.record import PictureError
from circuitvlm.runtime.folders import run_folder as folders
from circuitvlm.runtime.progress import rank
from circuitvlm.training.ranks import gather

FILE = "unread_images.json"
"""In the run's folder: a message for each unreadable image."""

NAMED_IMAGES = 3
"""Images that an error names; the file has all."""

log = logging.getLogger(__name__)


class UnreadableImages:
    """Counts each image once, alike on every rank; more than `limit` of them stop all ranks at the same step."""

    def __init__(self, run: Path, *, limit: int) -> None:
        self.run, self.limit = run, limit
        self.messages: tuple[str, ...] = ()

    def new_messages(self, messages: Iterable[str]) -> list[str]:
        """The messages about images that were not counted yet, each once."""
        return [message for message in dict.fromkeys(messages) if message not in self.messages]

    def add(self, messages: Sequence[str]) -> None:
        """Count the images of these messages and of those of the other ranks.

        Every rank calls it when any has a message. Raises PictureError on every rank when there are too many.
        """
        additions = self.new_messages(message for of_rank in gather(list(messages)) for message in of_rank)
        total = (*self.messages, *additions)
        if rank() == 0:
            folders.write_atomic(self.run / FILE, json.dumps(total, indent=1, ensure_ascii=False) + "\n")
            for message in additions:
                log.warning("%s; its questions are left out of the training", message)
        if len(total) > self.limit:
            raise PictureError(
                f"max_unreadable_images={self.limit}: expected at most so many unreadable training images, got "
                f"{len(total)}. The last: {'; '.join(additions[:NAMED_IMAGES])}. All are listed in {self.run / FILE}. "
                "Repair them, or allow more: their questions are then left out"
            )
        self.messages = total
