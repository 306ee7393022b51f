"""Where from? CORD: photographs of Indonesian receipts, each with what is printed on it as a tree of fields.

Read from the parquet files of naver-clova-ix/cord-v2 on the hub, from the older folders {train,dev,test}/{image,json}
(github.com/clovaai/cord), or from JSON lines. The data are licensed CC BY 4.0.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import Image, UnidentifiedImageError

from circuitvlm.core.record import Example, Picture
from circuitvlm.data._reading.chunks import Lazy
from circuitvlm.data._reading.files import DataFileError, UnusableError, walk
from circuitvlm.data._reading.images import MAX_PIXELS
from circuitvlm.data.cord import files as layout
from circuitvlm.data.cord import truth
from circuitvlm.data.cord.files import Found
from circuitvlm.runtime import hub
from circuitvlm.runtime.progress import bar
from circuitvlm.runtime.spelling import suggestion

ACTIONS = ("count", "stop")
SHOWN = 5
MAX_IMAGE_BYTES = 100_000_000
"""Some of CORD's photographs have twelve megapixels, and are PNG files."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt that can be used: its image, and its parse as compact JSON."""

    id: str
    image: Path
    answer: str


class Cord:
    """Receipts with their parse.

    `root` is a folder with parquet files, with {train,dev,test}/{image,json}/receipt_00000.{png,json}, or with JSON
    lines ({"image": path, "ground_truth" or "gt_parse": ..}), the part of which is told from their file's or folder's
    name; or owner/name of parquet files on the hub, which are downloaded into `cache` at `revision`. Each of `splits`
    states its `part`: train, validation (elsewhere dev) or test; one that is null is left out. `on_unusable`: receipts
    without a parse or a readable image are left out and counted ("count"), or an error that names them ("stop").

    Facts: `kind` (extract) and `answer`, the compact JSON text of the parse. Tags: kind and part.
    """

    def __init__(
        self,
        *,
        root: str,
        revision: str,
        splits: Mapping[str, Mapping[str, str] | None],
        on_unusable: Literal["count", "stop"],
        cache: str,
    ) -> None:
        taken = {name: stated for name, stated in splits.items() if stated is not None}
        for name, stated in taken.items():
            if set(stated) != {"part"} or stated["part"] not in layout.PARTS:
                raise ValueError(
                    f"cord: split {name!r} states {dict(stated)}; wanted its part, {', '.join(layout.PARTS)}"
                )
        twice = [part for part, count in Counter(stated["part"] for stated in taken.values()).items() if count > 1]
        if twice:
            raise ValueError(f"cord: two splits state the part {twice[0]!r}; a receipt must lie in one of them only")
        if on_unusable not in ACTIONS:
            raise ValueError(
                f"cord: on_unusable is {on_unusable!r}; wanted count or stop.{suggestion(on_unusable, ACTIONS)}"
            )
        self.root, self.revision, self.on_unusable = root, revision, on_unusable
        self.parts = {name: stated["part"] for name, stated in taken.items()}
        self.cache = Path(cache).expanduser()
        self.unusable: Counter[str] = Counter()
        """How many receipts of the splits that were read could not be used, by reason."""
        self._read: dict[str, Sequence[Receipt]] = {}

    def splits(self) -> tuple[str, ...]:
        """The names of the splits, in the order of the configuration."""
        return tuple(self.parts)

    def examples(self, split: str) -> Sequence[Example]:
        """The receipts of a split, in the files' order; read on the first call. Raises DataFileError, FetchError."""
        if split not in self.parts:
            raise ValueError(f"cord: no split {split!r}; there are {', '.join(self.parts)}")
        part = self.parts[split]
        if part not in self._read:
            self._read[part] = self._receipts(part)
        return Receipts(self._read[part], part=part)

    def _receipts(self, part: str) -> Sequence[Receipt]:
        folder, files = self._files(part)
        taken: dict[str, Receipt] = {}
        reasons: Counter[str] = Counter()
        first: dict[str, str] = {}
        found = layout.receipts(folder, files, part=part, cache=self.cache)
        for one in bar(found, label=f"reading cord/{part}"):
            try:
                if one.id in taken:
                    raise UnusableError("name comes twice")
                taken[one.id] = _used(one)
            except UnusableError as error:
                reasons[str(error)] += 1
                first.setdefault(str(error), one.where)
        self._tell(part, len(taken), reasons, first)
        return tuple(taken.values())

    def _files(self, part: str) -> tuple[Path, Sequence[str]]:
        """The folder, and the files of it that are of the part; at least one. Raises DataFileError."""
        folder = Path(self.root).expanduser()
        if folder.is_dir():
            there = list(walk(folder))
        elif hub.is_name(self.root):
            snapshot = hub.dataset(self.root, revision=self.revision, cache=self.cache / "hub", wanted=self._wanted)
            folder, there = snapshot.folder, list(snapshot.files)
        else:
            raise DataFileError(f"cord: root is {self.root!r}; wanted a folder, or owner/name of the hub")
        files = [file for file in there if layout.part_of(file) == part]
        if not files:
            others = ", ".join(sorted({own for file in there if (own := layout.part_of(file))})) or "none"
            raise DataFileError(
                f"cord: {self.root!r} has no part {part!r}, there are: {others}; wanted files such as "
                f"data/{part}-00000-of-00001.parquet, {part}/json/receipt_00000.json or {part}.jsonl"
            )
        return folder, files

    def _wanted(self, files: Sequence[str]) -> list[str]:
        """Which files of the hub are needed."""
        return [f for f in files if f.endswith(".parquet") and layout.part_of(f) in self.parts.values()]

    def _tell(self, part: str, taken: int, reasons: Counter[str], first: Mapping[str, str]) -> None:
        """One line on what is there and what was left out; an error where that is wanted."""
        such = "; ".join(f"{reason}: {reasons[reason]}, first {where}" for reason, where in list(first.items())[:SHOWN])
        if reasons and self.on_unusable == "stop":
            raise DataFileError(f"cord: {self.root}: {reasons.total()} receipts cannot be used: {such}")
        self.unusable += reasons
        left = f"; {reasons.total()} cannot be used ({such})" if reasons else ""
        log.info("cord: %d receipts of %s%s", taken, part, left)


class Receipts(Lazy):
    """The examples of one part."""

    def __init__(self, receipts: Sequence[Receipt], *, part: str) -> None:
        self.receipts, self.part = receipts, part

    def __len__(self) -> int:
        return len(self.receipts)

    def one(self, place: int) -> Example:
        receipt = self.receipts[place]
        facts = {"kind": "extract", "answer": receipt.answer}
        tags = {"kind": "extract", "part": self.part}
        return Example(id=receipt.id, images=(Picture(receipt.image),), facts=facts, tags=tags)


def _used(found: Found) -> Receipt:
    """Raises UnusableError for a receipt without a parse, or an image that cannot be decoded within bounds."""
    if found.fault or found.row is None or found.image is None:
        raise UnusableError(found.fault or "no image")
    answer = truth.answer(found.row)
    _check_image(found.image)
    return Receipt(id=found.id, image=found.image, answer=answer)


def _check_image(path: Path) -> None:
    """Raises UnusableError for a file that is no PNG or JPEG, is too large, or ends before its image does.

    That costs little: of a PNG the checksums are read, a JPEG is decoded at an eighth of its size.
    """
    try:
        if path.stat().st_size > MAX_IMAGE_BYTES:
            raise UnusableError("image file too large")
    except OSError as error:
        raise UnusableError("no image") from error
    try:
        with Image.open(path, formats=("PNG", "JPEG")) as image:
            if image.width * image.height > MAX_PIXELS:
                raise UnusableError("image of too many pixels")
            if image.format == "JPEG":
                image.draft("L", (image.width // 8, image.height // 8))
                image.load()
            else:
                image.verify()
    except UnusableError:
        raise
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, SyntaxError, ValueError) as error:
        raise UnusableError("unreadable image") from error
