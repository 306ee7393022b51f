"""Read CircuitSense: questions about drawn circuits, from its files on the hub or from its generator.

All layouts are recognized, and one root may have several: folders with `q7_question.txt` and related files
(armanakbari4/CircuitSense on the hub), and the generator's `labels.json`, `symbolic_equations.json` and
`circuit_qa_dataset.json` (github.com/armanakbari/CircuitSense, scripts/). Circuits are assigned to splits by the hash
of their topology, and no image is in two splits. So no other split asks about a circuit of the training split.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TypeVar

from circuitvlm.core.record import Example
from circuitvlm.data._reading.files import DataFileError, UnusableError, natural_key
from circuitvlm.data._reading.root import find_files
from circuitvlm.data._reading.settings import check_choice
from circuitvlm.data._reading.source import SplitSource
from circuitvlm.data._reading.splits import hash_position, read_shares, split_by_share
from circuitvlm.data._reading.unusable import ACTIONS, UnusableItems
from circuitvlm.data.circuitsense import folders, generator_files
from circuitvlm.data.circuitsense.examples import Question, load_question
from circuitvlm.data.circuitsense.kinds import KINDS
from circuitvlm.data.circuitsense.raw import PARTS, QuestionRef
from circuitvlm.runtime.progress import bar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Scan:
    """The questions of the root, the unusable ones, and the number of unreadable netlists."""

    questions: tuple[Question, ...]
    unusable: UnusableItems
    unread_netlists: int


class CircuitSense(SplitSource):
    """CircuitSense's questions, each with the facts that a task or a verifier needs.

    `root` is a folder, or the name of a data set on the hub, which is downloaded into `cache` at `revision`. `parts`
    and `kinds` select questions. Each of `splits` sets its `share`; the shares sum to 1. `max_samples` limits the
    number of questions that are read, selected by `seed` (null: all); some of these may be unusable or of other kinds.
    `on_unusable` is "count" (they are left out, counted in `unusable` and logged once) or "stop" (they are an error).

    Facts: `kind`, `question` and `answer`, and `netlist` in SPICE's conventions with the node names of the picture.
    Depending on the kind, also `source` and `output`, `unknown`, `probe` and `unit`, or `options`. Tags: part, level,
    kind, circuit, and if known topology and category.
    """

    def __init__(
        self,
        *,
        root: str,
        revision: str,
        parts: Sequence[str],
        kinds: Sequence[str],
        splits: Mapping[str, Mapping[str, float]],
        max_samples: int | None,
        seed: int,
        cache: str,
        on_unusable: str,
    ) -> None:
        self.root, self.revision = root, revision
        self.parts = _check_names("circuitsense.parts", parts, PARTS)
        self.kinds = _check_names("circuitsense.kinds", kinds, KINDS)
        self._splits = read_shares(splits, source="circuitsense")
        if max_samples is not None and max_samples < 1:
            raise ValueError(f"circuitsense.max_samples: expected null, or 1 or more, got {max_samples!r}")
        check_choice("circuitsense.on_unusable", on_unusable, ACTIONS)
        self.max_samples, self.seed, self.on_unusable = max_samples, seed, on_unusable
        self.cache = Path(cache).expanduser()

    def _read_split(self, split: str) -> Sequence[Example]:
        """The examples of a split; the files are read on the first call. Raises DataFileError, hub.FetchError."""
        return self._examples[split]

    @property
    def unusable(self) -> Counter[str]:
        """The number of unusable questions by reason."""
        return self.scan.unusable.counts

    @cached_property
    def scan(self) -> Scan:
        """All questions of the selected parts and kinds, read once."""
        refs = self._find_refs()
        if not refs:
            raise DataFileError(
                f"circuitsense.root: {self.root}: expected questions of {', '.join(self.parts)}, in folders with "
                f"q1_question.txt or in {', '.join(generator_files.FILES)}; got none"
            )
        scan = _read(refs, kinds=self.kinds, cache=self.cache)
        usable = f"{len(scan.questions)} of {len(refs)} questions in {self.root}"
        if scan.unread_netlists:
            usable += f"; {scan.unread_netlists} netlists cannot be read"
        scan.unusable.report("circuitsense", usable, on_unusable=self.on_unusable)
        return scan

    @cached_property
    def _examples(self) -> dict[str, tuple[Example, ...]]:
        examples: dict[str, list[Example]] = {split: [] for split in self._splits}
        for question in self.scan.questions:
            examples[split_by_share(question.split_key, self._splits)].append(question.example)
        return {split: tuple(split_examples) for split, split_examples in examples.items()}

    def _find_refs(self) -> list[QuestionRef]:
        """The questions of the selected parts, at most `max_samples`, in natural order."""
        folder, files = find_files(
            self.root, source="circuitsense", revision=self.revision, cache=self.cache, select=self._select_files
        )
        root = Path(self.root).expanduser()
        root_path = "/".join(root.resolve().parts[-3:]).lstrip("/") if root.is_dir() else ""
        refs = chain(
            folders.find_questions(folder, files, root_path=root_path), generator_files.find_questions(folder, files)
        )
        samples = self._sample([ref for ref in refs if ref.part in self.parts], key=lambda ref: ref.id)
        return sorted(samples, key=lambda ref: natural_key(ref.id))

    def _select_files(self, files: Sequence[str]) -> list[str]:
        """The files on the hub that the selected questions need."""
        questions = [question for question in folders.group_files(files) if question.part in self.parts]
        samples = self._sample(questions, key=lambda question: question.id)
        selection = {file for question in samples for file in question.files}
        if {"generated", "qa"} & set(self.parts):
            homes = {file.rpartition("/")[0] for file in files if file.rpartition("/")[2] in generator_files.FILES}
            selection |= {
                file
                for file in files
                if generator_files.is_generator_file(file) and file.rpartition("/")[0].removesuffix("/images") in homes
            }
        return [file for file in files if file in selection]

    def _sample(self, items: list[T], *, key: Callable[[T], str]) -> list[T]:
        if self.max_samples is None or len(items) <= self.max_samples:
            return items
        return sorted(items, key=lambda item: hash_position(f"{self.seed} {key(item)}"))[: self.max_samples]


def _read(refs: Sequence[QuestionRef], *, kinds: Sequence[str], cache: Path) -> Scan:
    """Read the files of each question, and count the unusable ones."""
    questions: list[Question] = []
    unusable = UnusableItems()
    ids: set[str] = set()
    unread_netlists = 0
    for ref in bar(refs, label="reading circuitsense"):
        with unusable.count(ref.id):
            if ref.id in ids:
                raise UnusableError("duplicate id", ref.id)
            ids.add(ref.id)
            question = load_question(ref, cache=cache)
            unread_netlists += question.has_unread_netlist
            if question.example.facts["kind"] in kinds:
                questions.append(question)
    return Scan(_join_split_keys(questions), unusable, unread_netlists)


def _join_split_keys(questions: Sequence[Question]) -> tuple[Question, ...]:
    """The questions with the same split key for all that share a key or an image; a topology is preferred as this key.

    Some questions about a picture have its netlist and others do not, and some circuits have the picture of another
    circuit. In all these cases the picture must be in one split only.
    """
    parents: dict[str, str] = {}

    def find_root(key: str) -> str:
        while parents.setdefault(key, key) != key:
            parents[key] = key = parents[parents[key]]
        return key

    for question in questions:
        for image_hash in question.image_hashes:
            keys = find_root(question.split_key), find_root(f"image {image_hash}")
            root, child = sorted(keys, key=lambda key: (" " in key, key))  # a topology has no space
            parents[child] = root
    return tuple(replace(question, split_key=find_root(question.split_key)) for question in questions)


def _check_names(key: str, names: Iterable[str], choices: Sequence[str]) -> tuple[str, ...]:
    """The names of a setting. Raises ValueError for none and for a name that is none of the choices."""
    checked_names = tuple(names)
    if not checked_names:
        raise ValueError(f"{key}: expected at least one of {', '.join(choices)}, got []")
    for name in checked_names:
        check_choice(key, name, choices)
    return checked_names
