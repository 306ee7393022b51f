"""Where from? CircuitSense: questions about drawn circuits, from its file tree on the hub or from its generator.

Every layout is found by looking, several may lie below one root: folders with `q7_question.txt` and its companions
(armanakbari4/CircuitSense on the hub), and the generator's `labels.json`, `symbolic_equations.json` and
`circuit_qa_dataset.json` (github.com/armanakbari/CircuitSense, scripts/). Circuits are dealt to the splits by their
topology, and no image lies in two splits, so nothing that is asked about in training is asked about anywhere else.
"""

from __future__ import annotations

import hashlib
import logging
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from circuitvlm.core.record import Example
from circuitvlm.data._reading.files import DataFileError, UnusableError, natural, walk
from circuitvlm.data.circuitsense import examples as examples_
from circuitvlm.data.circuitsense import folders
from circuitvlm.data.circuitsense import records as files_
from circuitvlm.data.circuitsense.draft import PARTS, Found
from circuitvlm.data.circuitsense.examples import Read
from circuitvlm.data.circuitsense.kinds import KINDS
from circuitvlm.runtime import hub
from circuitvlm.runtime.progress import bar

__all__ = ["CircuitSense", "DataFileError", "share_of"]

ACTIONS = ("count", "stop")
T = TypeVar("T")
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Scan:
    """What was read: the examples, what could not be used by reason (with one id each), netlists that do not read."""

    read: tuple[Read, ...]
    unusable: Counter[str]
    first: Mapping[str, str]
    unread: int


class CircuitSense:
    """CircuitSense's questions, each with the facts that a task or a verifier needs.

    `root` is a folder, or the name of a data set on the hub, which is downloaded into `cache` at `revision`. `parts`
    and `kinds` say what is wanted of it. Each of `splits` states its `share`; together they are 1. `max_samples` looks
    at that many questions only, drawn by `seed` (null: at all); of those some may be unusable or of other kinds.
    `on_unusable` is "count" (they are left out, counted in `unusable` and told once) or "stop" (they are an error).

    Facts: `kind`, `question` and `answer`, and `netlist` in SPICE's convention with the nodes named as in the picture;
    with `source` and `output`, `unknown`, `probe` and `unit`, or `options`, by kind. Tags: part, level, kind, circuit,
    and topology and category where there are any.
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
        self.parts = _known(parts, PARTS, what="parts")
        self.kinds = _known(kinds, KINDS, what="kinds")
        self.shares = shares_of(splits, source="circuitsense")
        if max_samples is not None and max_samples < 1:
            raise ValueError(f"circuitsense: max_samples is {max_samples}; wanted null or 1 and more")
        self.max_samples, self.seed = max_samples, seed
        self.cache = Path(cache).expanduser()
        self.on_unusable = _known([on_unusable], ACTIONS, what="on_unusable")[0]

    def splits(self) -> tuple[str, ...]:
        """The names of the splits, in the order of the configuration."""
        return tuple(self.shares)

    def examples(self, split: str) -> Sequence[Example]:
        """The examples of a split; the files are read on the first call. Raises DataFileError, hub.FetchError."""
        if split not in self.shares:
            raise ValueError(f"circuitsense: no split {split!r}; there are {', '.join(self.shares)}")
        return self._dealt[split]

    @property
    def unusable(self) -> Counter[str]:
        """How many questions could not be used, by reason."""
        return self.scan.unusable

    @cached_property
    def scan(self) -> Scan:
        """Everything that is wanted of the root, read once."""
        found = self._found()
        if not found:
            raise DataFileError(
                f"circuitsense: nothing of {', '.join(self.parts)} below {self.root!r}; wanted folders with "
                f"q1_question.txt, or one of {', '.join(files_.FILES)}"
            )
        scan = _read(found, kinds=self.kinds, cache=self.cache)
        self._tell(scan, looked=len(found))
        return scan

    @cached_property
    def _dealt(self) -> dict[str, tuple[Example, ...]]:
        dealt: dict[str, list[Example]] = {split: [] for split in self.shares}
        for read in self.scan.read:
            dealt[share_of(read.key, self.shares)].append(read.example)
        return {split: tuple(examples) for split, examples in dealt.items()}

    def _found(self) -> list[Found]:
        """The questions of the wanted parts, or the drawn ones of them, in natural order."""
        folder, above = Path(self.root).expanduser(), ""
        if folder.is_dir():
            above = "/".join(folder.resolve().parts[-3:]).lstrip("/")
            files: Sequence[str] = tuple(walk(folder))
        elif hub.is_name(self.root):
            home = self.cache / "hub"
            snapshot = hub.dataset(self.root, revision=self.revision, cache=home, wanted=self._wanted)
            folder, files = snapshot.folder, snapshot.files
        else:
            raise DataFileError(f"circuitsense: root is {self.root!r}; wanted a folder, or owner/name of the hub")
        every = [*folders.found(folder, files, above=above), *files_.found(folder, files)]
        found = [one for one in every if one.part in self.parts]
        return sorted(self._drawn(found, key=lambda one: one.id), key=lambda one: natural(one.id))

    def _wanted(self, files: Sequence[str]) -> list[str]:
        """Which files of the hub are needed: those of the drawn questions, and the generator's with their images."""
        items = [item for item in folders.items(files) if item.part in self.parts]
        taken = {file for item in self._drawn(items, key=lambda item: item.id) for file in item.files}
        if {"generated", "qa"} & set(self.parts):
            homes = {file.rpartition("/")[0] for file in files if file.rpartition("/")[2] in files_.FILES}
            taken |= {f for f in files if files_.belongs(f) and f.rpartition("/")[0].removesuffix("/images") in homes}
        return [file for file in files if file in taken]

    def _drawn(self, found: list[T], *, key: Callable[[T], str]) -> list[T]:
        if self.max_samples is None or len(found) <= self.max_samples:
            return found
        return sorted(found, key=lambda one: _place(f"{self.seed} {key(one)}"))[: self.max_samples]

    def _tell(self, scan: Scan, *, looked: int) -> None:
        """One line on what was left out; an error where that is wanted."""
        reasons = ", ".join(f"{count} {reason}" for reason, count in scan.unusable.most_common())
        netlists = f"; {scan.unread} netlists cannot be read" if scan.unread else ""
        left = f"; {scan.unusable.total()} cannot be used ({reasons})" if scan.unusable else ""
        if scan.unusable and self.on_unusable == "stop":
            such = ", ".join(f"{name} ({reason})" for reason, name in list(scan.first.items())[:5])
            raise DataFileError(f"circuitsense: {self.root}: {scan.unusable.total()} questions cannot be used: {such}")
        log.info("circuitsense: %d of %d questions%s%s", len(scan.read), looked, left, netlists)


def share_of(key: str, shares: Mapping[str, float]) -> str:
    """The split to which a key belongs: by its hash, whatever the seed and whatever else there is."""
    place, end = _place(key), 0.0
    for split, share in shares.items():
        end += share
        if place < end:
            return split
    return list(shares)[-1]  # the shares' sum may be a rounding error below 1


def shares_of(splits: Mapping[str, Mapping[str, float]], *, source: str) -> dict[str, float]:
    """The share of each split. Raises ValueError unless they are positive and together 1."""
    for name, stated in splits.items():
        if set(stated) != {"share"} or not 0 < stated["share"] <= 1:
            raise ValueError(f"{source}: split {name!r} states {dict(stated)}; wanted a share in (0, 1] and no more")
    shares = {name: float(stated["share"]) for name, stated in splits.items()}
    if not math.isclose(math.fsum(shares.values()), 1, abs_tol=1e-9):
        raise ValueError(f"{source}: the shares {shares} sum to {math.fsum(shares.values()):g}; wanted 1")
    return shares


def _read(found: Sequence[Found], *, kinds: Sequence[str], cache: Path) -> Scan:
    """Reads the files of each question, counting what cannot be used."""
    taken: list[Read] = []
    reasons: Counter[str] = Counter()
    first: dict[str, str] = {}
    ids: set[str] = set()
    unread = 0
    for one in bar(found, label="reading circuitsense"):
        try:
            if one.id in ids:
                raise UnusableError("id comes twice")
            ids.add(one.id)
            read = examples_.read(one, cache=cache)
        except UnusableError as error:
            reasons[str(error)] += 1
            first.setdefault(str(error), one.id)
            continue
        unread += read.unread
        if read.example.facts["kind"] in kinds:
            taken.append(read)
    return Scan(tuple(_joined(taken)), reasons, first, unread)


def _joined(taken: Sequence[Read]) -> Iterator[Read]:
    """The same with one key for all that share a key or an image, itself the first of theirs that is a topology.

    Some questions about a picture come with its netlist and some without, and some circuits were given the picture of
    another: either way the picture must not lie in two splits.
    """
    above: dict[str, str] = {}

    def top(name: str) -> str:
        while above.setdefault(name, name) != name:
            above[name] = name = above[above[name]]
        return name

    for read in taken:
        for image in read.images:
            one, other = sorted((top(read.key), top(f"image {image}")), key=_rank)
            above[other] = one
    return (replace(read, key=top(read.key)) for read in taken)


def _rank(key: str) -> tuple[bool, str]:
    """Topologies, which are single words, stand before hashes of images and ids."""
    return " " in key, key


def _place(text: str) -> float:
    """A number in [0, 1) that the text decides."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") / 2**48


def _known(stated: Iterable[str], known: Sequence[str], *, what: str) -> tuple[str, ...]:
    wanted = tuple(stated)
    wrong = [name for name in wanted if name not in known]
    if wrong or not wanted:
        raise ValueError(f"circuitsense: {what}: came {list(wrong or wanted)}, wanted some of {', '.join(known)}")
    return wanted
