"""Pair the examples of a split with the tasks that fit them."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest

from torch.utils.data import Dataset

from circuitvlm.core.contract import Source, Task
from circuitvlm.core.record import Example, Picture

SOURCE = "source"
"""The tag with the name of an example's source, where a run has several sources."""

Question = tuple[int, int, int]
"""The index of a source, of an example in it, and of a task."""

log = logging.getLogger(__name__)


class TaskDataset(Dataset[Example]):
    """Every example of a split, of every source, once for each task that it fits.

    Sources and tasks are taken in the order of their names, so that the questions do not depend on that of the config.
    `shuffle_images` gives each example the images of the next one that has other images. A reply that is still right
    was then guessed without the image. An example without images stays without. Raises ValueError where no source has
    the split, no example fits a task, or no other image exists.
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
        tasks = dict(sorted(tasks.items()))
        self.task_names = list(tasks)
        self.source_names = [name for name, source in sorted(sources.items()) if split in source.splits()]
        self.examples = [sources[name].examples(split) for name in self.source_names]
        self.has_several_sources = len(sources) > 1
        if not self.examples:
            splits = sorted({name for source in sources.values() for name in source.splits()})
            raise ValueError(f"split: expected one of {', '.join(splits)}, got {split!r}; no source has it")
        for examples in self.examples if shuffle_images else ():
            for index in (k for k, example in enumerate(examples) if example.images):
                _other_images(examples, index)  # raises now, and not at the first batch
                break
        questions = _pair_with_tasks(self.examples, tasks, split)
        self.questions = _alternate_sources(questions)[:limit] if limit is not None else questions

    def __len__(self) -> int:
        return len(self.questions)

    def __getitem__(self, index: int) -> Example:
        source_index, example_index, task_index = self.questions[index]
        examples, task = self.examples[source_index], self.task_names[task_index]
        example = examples[example_index]
        if self.shuffle_images and example.images:
            example = replace(example, images=_other_images(examples, example_index))
        # two sources may use the same ids, and two tasks ask about the same example
        if self.has_several_sources:
            source = self.source_names[source_index]
            example = replace(example, id=f"{source}/{example.id}", tags={**example.tags, SOURCE: source})
        return replace(example, id=f"{example.id}#{task}" if len(self.task_names) > 1 else example.id, task=task)

    def __iter__(self) -> Iterator[Example]:
        return (self[index] for index in range(len(self)))

    def indices_by_name(self, names: Iterable[str]) -> dict[str, list[int]]:
        """Name, a source or source/task -> indices of its questions. Raises ValueError for a question without name."""
        indices: dict[str, list[int]] = {name: [] for name in names}
        for index, (source_index, _, task_index) in enumerate(self.questions):
            source, task = self.source_names[source_index], self.task_names[task_index]
            name = next((name for name in (f"{source}/{task}", source) if name in indices), None)
            if name is None:
                raise ValueError(f"mixture_weights: expected {source} or {source}/{task}, got only {list(indices)}")
            indices[name].append(index)
        return indices


def _other_images(examples: Sequence[Example], index: int) -> tuple[Picture, ...]:
    """The images of the next example that has other images: several questions may be about one picture."""
    example = examples[index]
    for step in range(1, len(examples)):
        images = examples[(index + step) % len(examples)].images
        if images and images != example.images:
            return images
    raise ValueError(
        f"shuffle_images: expected an example with another image than {example.id!r}, got none among "
        f"{len(examples)} examples of its source"
    )


def _pair_with_tasks(examples: Sequence[Sequence[Example]], tasks: Mapping[str, Task], split: str) -> list[Question]:
    """Every question of a split. Examples that fit no task are counted in the log."""
    questions: list[Question] = []
    unused_kinds: Counter[str] = Counter()
    for source_index, of_source in enumerate(examples):
        for example_index, example in enumerate(of_source):
            task_indices = [index for index, task in enumerate(tasks.values()) if task.fits(example)]
            questions += [(source_index, example_index, task_index) for task_index in task_indices]
            if not task_indices:
                unused_kinds[str(example.facts.get("kind", "no kind"))] += 1
    counts = ", ".join(f"{count} {kind}" for kind, count in unused_kinds.most_common())
    if not questions:
        raise ValueError(f"{split!r}: expected examples that fit a task ({', '.join(tasks)}), got {counts or 'none'}")
    if unused_kinds:
        log.info("%s: no task asks about %s", split, counts)
    return questions


def _alternate_sources(questions: Sequence[Question]) -> list[Question]:
    """One question of each source in turn, so that the first few are of all sources."""
    by_source: dict[int, list[Question]] = {}
    for question in questions:
        by_source.setdefault(question[0], []).append(question)
    return [question for turn in zip_longest(*by_source.values()) for question in turn if question is not None]
