"""Load the samples of a run in batches for training, validation and prediction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from lightning import LightningDataModule
from torch.utils.data import DataLoader

from circuitvlm.core.contract import Codec, Collate, Objective, Source, Task
from circuitvlm.core.record import Example
from circuitvlm.core.tensor import Batch
from circuitvlm.training.batches.collator import Collator, DeferredError, ErrorReporter, TrainBatch
from circuitvlm.training.batches.fingerprint import fingerprint
from circuitvlm.training.batches.sampler import EpochStream, MixtureStream, OnceSampler, Stream, WindowSampler
from circuitvlm.training.batches.task_dataset import TaskDataset
from circuitvlm.training.batches.unreadable_images import UnreadableImages
from circuitvlm.training.checkpoint.stop_request import ignore_foreign_sigterm
from circuitvlm.training.ranks import rank_and_world, sum_over_ranks

TRAIN = "train"
VALIDATION = "validation"
"""The split that is validated during training. A run whose sources all lack it has no validation."""


@dataclass(frozen=True, slots=True)
class Window:
    """How a run's samples are cut: samples of a step over all ranks, samples of a micro-batch, and steps in all."""

    seed: int
    steps: int
    global_batch_size: int
    micro_batch_size: int


@dataclass(frozen=True, slots=True)
class PredictRequest:
    """The questions to answer next: at most `items` of a split, with images of other examples if they are shuffled."""

    split: str
    items: int | None
    shuffle_images: bool = False


class Loader(DataLoader[Any]):
    """A loader that raises the deferred errors of its workers, as a loader without workers would."""

    def __iter__(self) -> Any:
        """An iterator of batches. Torch declares a class of its own, of which nothing else is used."""
        for batch in super().__iter__():
            if isinstance(batch, DeferredError):
                raise batch.error
            yield batch


class WindowLoader:
    """A loader that reads one accumulation window ahead, and gives its batches the target count of all of it.

    With that count the loss is the same for 1 x 8, 2 x 4 and two processes, whatever the lengths of the replies.
    Images of the window that any rank could not read are added to `unreadable_images` before it is trained on.
    """

    def __init__(
        self,
        loader: DataLoader[Any],
        sampler: WindowSampler,
        *,
        count: Callable[[Batch], float],
        unreadable_images: UnreadableImages,
    ) -> None:
        self.loader = loader
        self.sampler = sampler
        self.count = count
        self.unreadable_images = unreadable_images

    def __len__(self) -> int:
        return len(self.sampler)

    def __iter__(self) -> Iterator[Batch]:
        window: list[TrainBatch] = []
        for train_batch in self.loader:
            window.append(train_batch)
            if len(window) == self.sampler.accumulation:
                new = self.unreadable_images.new_messages(text for item in window for text in item.unreadable_images)
                total, new_count = sum_over_ranks(sum(self.count(item.batch) for item in window), len(new))
                if new_count:
                    self.unreadable_images.add(new)
                yield from (replace(item.batch, window_count=total) for item in window)
                window = []


class Data(LightningDataModule):
    """The loaders of a run. Its checkpoint state is the number of finished windows and the unreadable images so far.

    `mixture_weights` are the parts of the training that sources, or source/task, have; empty: by their numbers of
    questions.
    """

    def __init__(
        self,
        *,
        sources: Mapping[str, Source],
        tasks: Mapping[str, Task],
        codec: Codec,
        collate: Collate,
        objective: Objective,
        window: Window,
        mixture_weights: Mapping[str, float],
        eval_batch_size: int,
        validate_items: int,
        num_workers: int,
        unreadable_images: UnreadableImages,
    ) -> None:
        super().__init__()
        self.sources = sources
        self.tasks = tasks
        self.codec = codec
        self.collate = collate
        self.objective = objective
        self.window = window
        self.mixture_weights = mixture_weights
        self.eval_batch_size = eval_batch_size
        self.validate_items = validate_items
        self.num_workers = num_workers
        self.unreadable_images = unreadable_images
        self.finished_windows = 0
        self.predict_request: PredictRequest  # set before predicting

    def questions(self, split: str, *, limit: int | None = None, shuffle_images: bool = False) -> TaskDataset:
        return TaskDataset(self.sources, self.tasks, split, limit=limit, shuffle_images=shuffle_images)

    def fingerprints(self, splits: Iterable[str]) -> dict[str, dict[str, dict[str, int | str]]]:
        """Split -> source -> count and SHA-256 of its examples."""
        return {
            split: {
                name: fingerprint(source.examples(split))
                for name, source in self.sources.items()
                if split in source.splits()
            }
            for split in splits
        }

    def train_dataloader(self) -> WindowLoader:
        """Micro-batches from the first window that is not finished. Raises ValueError for another number of ranks."""
        questions = self.questions(TRAIN)
        rank, world = rank_and_world()
        sampler = WindowSampler(
            self._stream(questions),
            windows=self.window.steps,
            global_batch_size=self.window.global_batch_size,
            micro_batch_size=self.window.micro_batch_size,
            rank=rank,
            world=world,
        )
        sampler.start = self.finished_windows
        if self.trainer is not None and self.trainer.accumulate_grad_batches != sampler.accumulation:
            raise ValueError(
                f"trainer.devices: expected the number of processes for which {self.trainer.accumulate_grad_batches} "
                f"micro-batches are accumulated, got {world} processes; give trainer.devices as a number"
            )
        loader = self._loader(questions, sampler, collate=self._collator.train_batch, split=TRAIN)
        return WindowLoader(loader, sampler, count=self.objective.count, unreadable_images=self.unreadable_images)

    def _stream(self, questions: TaskDataset) -> Stream:
        if not self.mixture_weights:
            return EpochStream(len(questions), self.window.seed)
        weights = dict(sorted(self.mixture_weights.items()))  # their order must not change the samples
        indices = questions.indices_by_name(weights)
        for name, weight in weights.items():
            if weight and not indices[name]:
                raise ValueError(
                    f"mixture_weights.{name}: expected questions in {TRAIN!r}, got none; use mixture_weights.{name}=0"
                )
        return MixtureStream(list(indices.values()), list(weights.values()), self.window.seed)

    def val_dataloader(self) -> DataLoader[Any]:
        questions = self.questions(VALIDATION, limit=self.validate_items)
        return self._eval_loader(questions, collate=self._collator.validation_batch, split=VALIDATION)

    def predict_dataloader(self) -> DataLoader[Any]:
        """Left-padded prompts of the questions of `predict_request`."""
        request = self.predict_request
        questions = self.questions(request.split, limit=request.items, shuffle_images=request.shuffle_images)
        return self._eval_loader(questions, collate=self._collator.prompt_batch, split=request.split)

    def state_dict(self) -> dict[str, Any]:
        assert self.trainer is not None, "Lightning saves a data module's state through its trainer"
        return {"trained": self.trainer.global_step, "unread": list(self.unreadable_images.messages)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.finished_windows = state_dict["trained"]
        self.unreadable_images.messages = tuple(state_dict["unread"])

    @property
    def _collator(self) -> Collator:
        return Collator(self.tasks, self.codec, self.collate)

    def _eval_loader(
        self, questions: TaskDataset, *, collate: Callable[[Sequence[Example]], Any], split: str
    ) -> Loader:
        rank, world = rank_and_world()
        sampler = OnceSampler(len(questions), batch=self.eval_batch_size, rank=rank, world=world)
        return self._loader(questions, sampler, collate=collate, split=split)

    def _loader(
        self, questions: TaskDataset, sampler: Any, *, collate: Callable[[Sequence[Example]], Any], split: str
    ) -> Loader:
        return Loader(
            questions,
            batch_sampler=sampler,
            collate_fn=ErrorReporter(collate, split),
            num_workers=self.num_workers,
            worker_init_fn=ignore_foreign_sigterm,
            generator=torch.Generator().manual_seed(0),  # its base seed must not be drawn from the run's random numbers
        )
