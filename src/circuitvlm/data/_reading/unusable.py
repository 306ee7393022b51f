"""Count the items of a data set that cannot be used, and report or refuse them."""

from __future__ import annotations

import logging
import reprlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from circuitvlm.data._reading.files import DataFileError, UnusableError

ACTIONS = ("count", "stop")
"""The values of `on_unusable`: leave unusable items out and count them, or raise an error."""

log = logging.getLogger(__name__)


class UnusableItems:
    """The number of unusable items by reason, and the location and value of the first item of each reason."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.first_locations: dict[str, str] = {}

    @contextmanager
    def count(self, location: str) -> Iterator[None]:
        """Count an item, instead of raising an UnusableError of its block, under the reason of this error."""
        try:
            yield
        except UnusableError as error:
            self.counts[str(error)] += 1
            self.first_locations.setdefault(str(error), f"{location}, got {reprlib.repr(error.got)}")

    def report(self, source: str, usable: str, *, on_unusable: str) -> None:
        """Log in one line what is usable and what is not. Raises DataFileError for unusable items under "stop"."""
        text = f"{source}: {usable}"
        if self.counts:
            details = "; ".join(
                f"{reason}: {count}, first {self.first_locations[reason]}"
                for reason, count in self.counts.most_common()
            )
            text += f"; {self.counts.total()} cannot be used ({details})"
            if on_unusable == "stop":
                raise DataFileError(f"{text}; repair them, or leave them out with on_unusable: count")
        log.info(text)
