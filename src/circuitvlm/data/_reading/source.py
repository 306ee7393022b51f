"""Share what all data sources do: name their splits, and refuse the name of an unknown one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from circuitvlm.core.record import Example


class SplitSource(ABC):
    """A data source; a subclass sets `_splits` and reads one split."""

    _splits: Mapping[str, Any]
    """What defines each split (its settings, part or share), in the order of the configuration."""

    def splits(self) -> tuple[str, ...]:
        """The names of the splits, in the order of the configuration."""
        return tuple(self._splits)

    def examples(self, split: str) -> Sequence[Example]:
        """The examples of a split. Raises ValueError for an unknown split, and what reading a split raises."""
        if split not in self._splits:
            name = type(self).__module__.removeprefix("circuitvlm.data.").partition(".")[0]
            raise ValueError(f"{name}: expected a split of {', '.join(self._splits)}, got {split!r}")
        return self._read_split(split)

    @abstractmethod
    def _read_split(self, split: str) -> Sequence[Example]: ...
