"""What does a loader's worker make of examples? Dialogues, tokens, and one batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from circuitvlm.core.contract import Codec, Collate, Task
from circuitvlm.core.record import Example, PictureError
from circuitvlm.core.tensor import IGNORE, Batch, Encoded
from circuitvlm.runtime.fault import ours


@dataclass(frozen=True, slots=True)
class Told:
    """A validation batch twice: with its replies, for the loss, and without, for generating them."""

    told: Batch
    asked: Batch

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Told:
        return Told(self.told.to(device, non_blocking), self.asked.to(device, non_blocking))


@dataclass(frozen=True, slots=True)
class Lesson:
    """A micro-batch to train on, and what was said of each image in it that could not be read."""

    batch: Batch
    unread: tuple[str, ...]


@dataclass(frozen=True)
class Pack:
    """The work of a loader worker: examples to dialogues, to tokens, to one batch. Holds the codec, never the model."""

    tasks: Mapping[str, Task]
    codec: Codec
    collate: Collate
    told: bool
    asked: bool

    def __call__(self, examples: Sequence[Example]) -> Any:
        if not self.asked:
            return self._batch(examples, reply=True)
        asked = self._batch(examples, reply=False)
        return Told(self._batch(examples, reply=True), asked) if self.told else asked

    def lesson(self, examples: Sequence[Example]) -> Lesson:
        """All examples, told. One whose images cannot be read has its place, without them, and teaches nothing: no
        other sample moves, and no rank is left without a batch."""
        samples, unread = [], []
        for example in examples:
            try:
                samples.append(self._encoded(example, reply=True))
            except PictureError as error:
                bare = self._encoded(replace(example, images=()), reply=True)
                samples.append(replace(bare, labels_T=torch.full_like(bare.labels_T, IGNORE)))
                unread.append(str(error))
        return Lesson(self.collate(samples, pad=self.codec.pad, side="right"), tuple(unread))

    def _batch(self, examples: Sequence[Example], *, reply: bool) -> Batch:
        samples = [self._encoded(example, reply=reply) for example in examples]
        return self.collate(samples, pad=self.codec.pad, side="right" if reply else "left")

    def _encoded(self, example: Example, *, reply: bool) -> Encoded:
        return self.codec.encode(self.tasks[example.task].ask(example), reply=reply)


@dataclass(frozen=True, slots=True)
class Refused:
    """What could not be packed, as an error to raise where the loader is read."""

    error: ValueError


@dataclass(frozen=True)
class Telling:
    """The work of a `pack` on a split. What the user can mend is told of it: raised in a worker, it would come out
    below that worker's traceback, for torch knows no better."""

    pack: Callable[[Sequence[Example]], Any]
    split: str

    def __call__(self, examples: Sequence[Example]) -> Any:
        try:
            return self.pack(examples)
        except PictureError as error:
            return Refused(
                PictureError(
                    f"{self.split}: {error}. Where replies are scored no question is left out, whatever bad_images "
                    "allows the training: a score of fewer questions is another score. Mend the file, or take what "
                    "asks about it out of the data"
                )
            )
        except ValueError as error:
            if not ours(error):
                raise
            return Refused(ValueError(f"{self.split}: {error}"))
