"""Turn examples into batches, as the work of a data loader's worker."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from circuitvlm.core.contract import Codec, Collate, Task
from circuitvlm.core.record import Example, PictureError
from circuitvlm.core.tensor import IGNORE, Batch, Encoded
from circuitvlm.runtime.errors import is_project_error


@dataclass(frozen=True, slots=True)
class ValidationBatch:
    """The same examples twice: with their replies, for the loss, and as prompts, for generation."""

    loss_batch: Batch
    prompt_batch: Batch

    def to(self, device: torch.device | str, non_blocking: bool = False) -> ValidationBatch:
        return ValidationBatch(self.loss_batch.to(device, non_blocking), self.prompt_batch.to(device, non_blocking))


@dataclass(frozen=True, slots=True)
class TrainBatch:
    """A micro-batch to train on, and a message for each of its examples with an unreadable image."""

    batch: Batch
    unreadable_images: tuple[str, ...]


@dataclass(frozen=True)
class Collator:
    """Turn examples into dialogues, tokens and one batch. It holds the codec and never the model."""

    tasks: Mapping[str, Task]
    codec: Codec
    collate: Collate

    def loss_batch(self, examples: Sequence[Example]) -> Batch:
        """The examples with their replies, padded on the right."""
        samples = [self._encode(example, reply=True) for example in examples]
        return self.collate(samples, pad=self.codec.pad, side="right")

    def prompt_batch(self, examples: Sequence[Example]) -> Batch:
        """The examples without their replies, padded on the left for generation."""
        samples = [self._encode(example, reply=False) for example in examples]
        return self.collate(samples, pad=self.codec.pad, side="left")

    def validation_batch(self, examples: Sequence[Example]) -> ValidationBatch:
        return ValidationBatch(prompt_batch=self.prompt_batch(examples), loss_batch=self.loss_batch(examples))

    def train_batch(self, examples: Sequence[Example]) -> TrainBatch:
        """The examples with their replies, padded on the right.

        An example with an unreadable image keeps its place, without image and labels. So no other sample moves, and
        no rank is left without a batch.
        """
        samples, messages = [], []
        for example in examples:
            try:
                samples.append(self._encode(example, reply=True))
            except PictureError as error:
                text_only = self._encode(replace(example, images=()), reply=True)
                samples.append(replace(text_only, labels_T=torch.full_like(text_only.labels_T, IGNORE)))
                messages.append(str(error))
        return TrainBatch(self.collate(samples, pad=self.codec.pad, side="right"), tuple(messages))

    def _encode(self, example: Example, *, reply: bool) -> Encoded:
        return self.codec.encode(self.tasks[example.task].ask(example), reply=reply)


@dataclass(frozen=True, slots=True)
class DeferredError:
    """An error of a worker, to be raised by the process that reads the loader."""

    error: ValueError


@dataclass(frozen=True)
class ErrorReporter:
    """A collate function which returns errors of the data as a `DeferredError` that names the split.

    An error raised in a worker would reach the user below the traceback of that worker, which torch prints.
    """

    collate: Callable[[Sequence[Example]], Any]
    split: str

    def __call__(self, examples: Sequence[Example]) -> Any:
        try:
            return self.collate(examples)
        except PictureError as error:
            return DeferredError(
                PictureError(
                    f"{self.split}: {error}. max_unreadable_images holds for training only: scores of fewer questions "
                    "cannot be compared. Repair the file, or remove its questions from the data"
                )
            )
        except ValueError as error:
            if not is_project_error(error):
                raise
            return DeferredError(ValueError(f"{self.split}: {error}"))
