"""How do sources, tasks and a codec become the loaders of one run?"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

import torch
from lightning import LightningDataModule
from torch import distributed
from torch.utils.data import DataLoader, Dataset

from circuitvlm.core.contract import Codec, Collate, Objective, Source, Task
from circuitvlm.core.record import Example, Picture
from circuitvlm.core.tensor import Batch
from circuitvlm.training.batches.collator import Lesson, Pack, Refused, Telling
from circuitvlm.training.batches.fingerprint import fingerprint
from circuitvlm.training.batches.sampler import Mixed, OnceSampler, Shuffled, Stream, WindowSampler
from circuitvlm.training.batches.unreadable_images import Unread
from circuitvlm.training.checkpoint.stop import spare_worker

TRAIN = "train"
VALIDATION = "validation"
"""The split that is validated while training. A run whose sources do not state it has no validation."""

SOURCE = "source"
"""The tag that names an example's source, where there are several."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Window:
    """How the samples of a run are cut: samples a step over all ranks, samples a micro-batch, steps in all."""

    seed: int
    steps: int
    global_batch: int
    micro_batch: int


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be answered next: at most `items` of a split, each with another one's images if they are shuffled."""

    split: str
    items: int | None
    shuffle_images: bool = False


class Questions(Dataset[Example]):
    """Every example of a split, of every source, once for each task that it fits.

    `shuffle_images` asks each with the images of the next one that has others: what is still right then was guessed,
    not seen. An example without images stays without.
    """

    def __init__(
        self,
        sources: Mapping[str, Source],
        tasks: Mapping[str, Task],
        split: str,
        *,
        limit: int | None,
        shuffle_images: bool = False,
    ) -> None:
        self.shuffle_images = shuffle_images
        self.tasks = list(tasks)
        self.names = [name for name, source in sources.items() if split in source.splits()]
        self.parts = [sources[name].examples(split) for name in self.names]
        self.several = len(sources) > 1
        if not self.parts:
            known = sorted({name for source in sources.values() for name in source.splits()})
            raise ValueError(f"no source has a split {split!r}; there are {', '.join(known)}")
        for part in self.parts if shuffle_images else ():
            for place in (k for k, example in enumerate(part) if example.images):
                _other_images(part, place)  # where there is none, that is told now
                break
        asked = _dealt(self.parts, tasks, split)
        self.asked = _in_turn(asked)[:limit] if limit is not None else asked

    def __len__(self) -> int:
        return len(self.asked)

    def __getitem__(self, index: int) -> Example:
        part, place, which = self.asked[index]
        example = self.parts[part][place]
        if self.shuffle_images and example.images:
            example = replace(example, images=_other_images(self.parts[part], place))
        task = self.tasks[which]
        # two sources may use the same ids, and two tasks ask about the same example
        if self.several:
            source = self.names[part]
            example = replace(example, id=f"{source}/{example.id}", tags={**example.tags, SOURCE: source})
        return replace(example, id=f"{example.id}#{task}" if len(self.tasks) > 1 else example.id, task=task)

    def __iter__(self) -> Iterator[Example]:
        return (self[index] for index in range(len(self)))

    def among(self, names: Sequence[str]) -> list[list[int]]:
        """The questions of each name, a source or source/task. Raises ValueError where a question has no name."""
        found: dict[str, list[int]] = {name: [] for name in names}
        for index, (part, _, which) in enumerate(self.asked):
            source, task = self.names[part], self.tasks[which]
            name = next((name for name in (f"{source}/{task}", source) if name in found), None)
            if name is None:
                raise ValueError(f"shares: nothing is said of {source} or of {source}/{task}; there are {names}")
            found[name].append(index)
        return list(found.values())


def _other_images(part: Sequence[Example], place: int) -> tuple[Picture, ...]:
    """The images of the next example that has some, and others: several questions may be asked of one picture."""
    own = part[place].images
    for step in range(1, len(part)):
        images = part[(place + step) % len(part)].images
        if images and images != own:
            return images
    raise ValueError(f"shuffle_images: beside {part[place].id!r} no example has an image of its own; there is no other")


def _dealt(parts: Sequence[Sequence[Example]], tasks: Mapping[str, Task], split: str) -> list[tuple[int, int, int]]:
    """(part, place, task) of every question. Examples that no task asks about are counted and said once."""
    asked: list[tuple[int, int, int]] = []
    unasked: Counter[str] = Counter()
    for number, part in enumerate(parts):
        for place, example in enumerate(part):
            fitting = [which for which, task in enumerate(tasks.values()) if task.fits(example)]
            asked += [(number, place, which) for which in fitting]
            if not fitting:
                unasked[str(example.facts.get("kind", "no kind"))] += 1
    said = ", ".join(f"{count} {kind}" for kind, count in unasked.most_common())
    if not asked:
        raise ValueError(f"{split!r}: no example fits a task ({', '.join(tasks)}); there are {said or 'none'}")
    if unasked:
        log.info("%s: no task asks about %s", split, said)
    return asked


def _in_turn(asked: Sequence[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """One question of each source after the other, so that the first few are of all."""
    parts: dict[int, list[tuple[int, int, int]]] = {}
    for question in asked:
        parts.setdefault(question[0], []).append(question)
    return [question for turn in zip_longest(*parts.values()) for question in turn if question is not None]


class Loader(DataLoader[Any]):
    """A loader that raises what its workers were refused, as it would be without workers."""

    def __iter__(self) -> Any:
        """An iterator; torch names a class of its own for it, of which nobody uses more than that."""
        for made in super().__iter__():
            if isinstance(made, Refused):
                raise made.error
            yield made


class WindowLoader:
    """A loader that looks ahead one accumulation window and tells its batches how much all of it teaches.

    With that count the loss is the same for 1 x 8, 2 x 4 and two processes, whatever the lengths of the replies.
    Images of the window that no worker of any rank could read are added to `unread` before it is trained on.
    """

    def __init__(
        self, loader: DataLoader[Any], sampler: WindowSampler, *, count: Callable[[Batch], float], unread: Unread
    ) -> None:
        self.loader = loader
        self.sampler = sampler
        self.count = count
        self.unread = unread

    def __len__(self) -> int:
        return len(self.sampler)

    def __iter__(self) -> Iterator[Batch]:
        window: list[Lesson] = []
        for lesson in self.loader:
            window.append(lesson)
            if len(window) == self.sampler.accumulation:
                new = self.unread.new(said for each in window for said in each.unread)
                total, odd = _over_ranks(sum(self.count(each.batch) for each in window), len(new))
                if odd:
                    self.unread.add(new)
                yield from (replace(each.batch, window_count=total) for each in window)
                window = []


class Data(LightningDataModule):
    """The loaders of a run. Its checkpoint state is the number of windows trained on, and the images not read so far.

    `shares` says how much of the training each source has, or each source/task; empty: as many as there are.
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
        shares: Mapping[str, float],
        predict_batch: int,
        validate_items: int,
        workers: int,
        unread: Unread,
    ) -> None:
        super().__init__()
        self.sources = sources
        self.tasks = tasks
        self.codec = codec
        self.collate = collate
        self.objective = objective
        self.window = window
        self.shares = shares
        self.predict_batch = predict_batch
        self.validate_items = validate_items
        self.workers = workers
        self.unread = unread
        self.trained = 0
        self.asked: Asked | None = None

    def questions(self, split: str, *, limit: int | None = None) -> Questions:
        return Questions(self.sources, self.tasks, split, limit=limit)

    def fingerprints(self) -> dict[str, dict[str, dict[str, int | str]]]:
        """Split -> source -> count and SHA-256 of its examples, for the splits that training reads."""
        read = (TRAIN, VALIDATION) if self.window.steps else ()
        return {
            split: {
                name: fingerprint(source.examples(split))
                for name, source in self.sources.items()
                if split in source.splits()
            }
            for split in read
        }

    def train_dataloader(self) -> WindowLoader:
        questions = self.questions(TRAIN)
        rank, world = _rank_and_world()
        sampler = WindowSampler(
            self._stream(questions),
            windows=self.window.steps,
            global_batch=self.window.global_batch,
            micro_batch=self.window.micro_batch,
            rank=rank,
            world=world,
        )
        sampler.start = self.trained
        if self.trainer is not None and self.trainer.accumulate_grad_batches != sampler.accumulation:
            raise ValueError(
                f"trainer.devices: {world} processes run, but accumulation was derived for another number; "
                "state the devices as a number"
            )
        loader = self._loader(questions, sampler, pack=Telling(self._pack(told=True, asked=False).lesson, TRAIN))
        return WindowLoader(loader, sampler, count=self.objective.count, unread=self.unread)

    def _stream(self, questions: Questions) -> Stream:
        if not self.shares:
            return Shuffled(len(questions), self.window.seed)
        parts = dict(zip(self.shares, questions.among(list(self.shares)), strict=True))
        for name, share in self.shares.items():
            if share and not parts[name]:
                raise ValueError(f"shares.{name}: no task asks about it in {TRAIN!r}; say shares.{name}=0")
        return Mixed(list(parts.values()), list(self.shares.values()), self.window.seed)

    def val_dataloader(self) -> DataLoader[Any]:
        questions = self.questions(VALIDATION, limit=self.validate_items)
        pack = Telling(self._pack(told=True, asked=True), VALIDATION)
        return self._loader(questions, self._once(questions), pack=pack)

    def predict_dataloader(self) -> DataLoader[Any]:
        """Left-padded prompts of the split that `asked` names, to be answered."""
        assert self.asked is not None, "evaluate() says what is asked"
        questions = Questions(
            self.sources,
            self.tasks,
            self.asked.split,
            limit=self.asked.items,
            shuffle_images=self.asked.shuffle_images,
        )
        pack = Telling(self._pack(told=False, asked=True), self.asked.split)
        return self._loader(questions, self._once(questions), pack=pack)

    def state_dict(self) -> dict[str, Any]:
        assert self.trainer is not None, "Lightning saves a data module's state through its trainer"
        return {"trained": self.trainer.global_step, "unread": list(self.unread.found)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.trained = state_dict["trained"]
        self.unread.found = tuple(state_dict.get("unread", ()))  # older checkpoints: any such image stopped the run

    def _once(self, questions: Questions) -> OnceSampler:
        rank, world = _rank_and_world()
        return OnceSampler(len(questions), batch=self.predict_batch, rank=rank, world=world)

    def _pack(self, *, told: bool, asked: bool) -> Pack:
        return Pack(self.tasks, self.codec, self.collate, told, asked)

    def _loader(self, questions: Questions, sampler: Any, *, pack: Telling) -> Loader:
        return Loader(
            questions,
            batch_sampler=sampler,
            collate_fn=pack,
            num_workers=self.workers,
            worker_init_fn=spare_worker,
            generator=torch.Generator().manual_seed(0),  # its base seed must not be drawn from the run's random numbers
        )


def _rank_and_world() -> tuple[int, int]:
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1


def _over_ranks(*values: float) -> list[float]:
    """Each value's sum."""
    if _rank_and_world()[1] == 1:
        return list(values)
    device = "cuda" if distributed.get_backend() == "nccl" else "cpu"
    totals = torch.tensor(values, device=device, dtype=torch.float64)
    distributed.all_reduce(totals)
    return [float(total) for total in totals]
