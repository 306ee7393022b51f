"""Which images could not be read while training, on any rank, and are they too many?"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from torch import distributed

from circuitvlm.core.record import PictureError
from circuitvlm.runtime.folders import run_folder as folders
from circuitvlm.runtime.progress import rank

UNREAD = "unread_images.json"
"""In the run's folder: each image that could not be read, and why."""

TOLD = 3
"""How many images an error names; all stand in the file."""

log = logging.getLogger(__name__)


class Unread:
    """Counts each image once, alike on every rank; more than `most` of them stop all ranks in the same place."""

    def __init__(self, run: Path, *, most: int) -> None:
        self.run, self.most = run, most
        self.found: tuple[str, ...] = ()

    def new(self, said: Iterable[str]) -> list[str]:
        """What is said of images that were not counted yet."""
        return [each for each in dict.fromkeys(said) if each not in self.found]

    def add(self, new: Sequence[str]) -> None:
        """Count what this rank and the others have found; every rank comes here if one has found something.

        Raises PictureError on every rank.
        """
        by_rank: list[Sequence[str]] = [new]
        if distributed.is_available() and distributed.is_initialized():
            by_rank = [()] * distributed.get_world_size()
            distributed.all_gather_object(by_rank, list(new))
        added = self.new(each for found in by_rank for each in found)
        every = (*self.found, *added)
        if rank() == 0:
            folders.write_atomic(self.run / UNREAD, json.dumps(every, indent=1, ensure_ascii=False) + "\n")
            for each in added:
                log.warning("%s; what is asked of it is left out of the training", each)
        if len(every) > self.most:
            raise PictureError(
                f"images of the training that cannot be read: {len(every)}, and bad_images={self.most} allows "
                f"{self.most or 'none'}. The last: {'; '.join(added[:TOLD])}. All are in {self.run / UNREAD}. Mend "
                "them, or allow more: what is asked of them is then left out"
            )
        self.found = every
