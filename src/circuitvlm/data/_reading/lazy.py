"""A sequence of examples that makes each one when it is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar, overload

from circuitvlm.core.record import Example

T = TypeVar("T")


class LazyExamples(Sequence[Example], Generic[T]):
    """The example that `make` gives for each item, made anew at each access; it pickles if `make` and the items do."""

    def __init__(self, items: Sequence[T], make: Callable[[T], Example]) -> None:
        self.items, self.make = items, make

    def __len__(self) -> int:
        return len(self.items)

    @overload
    def __getitem__(self, index: int) -> Example: ...

    @overload
    def __getitem__(self, index: slice) -> list[Example]: ...

    def __getitem__(self, index: int | slice) -> Example | list[Example]:
        if isinstance(index, slice):
            return [self.make(item) for item in self.items[index]]
        return self.make(self.items[index])
