"""Read CORD: photographs of Indonesian receipts, each with its printed fields as a tree.

The files are the parquet files of naver-clova-ix/cord-v2 on the hub, the older folders {train,dev,test}/{image,json}
(github.com/clovaai/cord), or JSON lines. The data are licensed CC BY 4.0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from PIL import Image, UnidentifiedImageError

from circuitvlm.core.record import Example, Picture
from circuitvlm.data._reading.files import DataFileError, UnusableError
from circuitvlm.data._reading.images import MAX_PIXELS
from circuitvlm.data._reading.root import find_files
from circuitvlm.data._reading.settings import check_choice
from circuitvlm.data._reading.source import SplitSource
from circuitvlm.data._reading.unusable import ACTIONS, UnusableItems
from circuitvlm.data.cord.files import PARTS, Entry, part_of, read_entries
from circuitvlm.data.cord.truth import parse_answer
from circuitvlm.runtime.progress import bar

MAX_IMAGE_BYTES = 100_000_000
"""Some of CORD's photographs have twelve megapixels, and are PNG files."""


class Cord(SplitSource):
    """Receipts with their parse.

    `root` is a folder with parquet files, with {train,dev,test}/{image,json}/receipt_00000.{png,json}, or with JSON
    lines {"image": path, "ground_truth" or "gt_parse": ..}; the name of a file or its folder says its part. Or it is
    owner/name of parquet files on the hub, which are downloaded into `cache` at `revision`. Each of `splits` has its
    `part`: train, validation (elsewhere dev) or test; a split that is null is skipped. With `on_unusable: count`,
    receipts without a parse or a readable image are skipped and counted; with "stop" they are an error.

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
        check_choice("cord.on_unusable", on_unusable, ACTIONS)
        self._splits = _read_parts({name: settings for name, settings in splits.items() if settings is not None})
        self.root, self.revision, self.on_unusable = root, revision, on_unusable
        self.cache = Path(cache).expanduser()
        self.unusable: Counter[str] = Counter()
        """The number of unusable receipts by reason, in all splits that were read."""
        self._examples: dict[str, Sequence[Example]] = {}

    def _read_split(self, split: str) -> Sequence[Example]:
        """The receipts of a split, in the files' order; read on the first call. Raises DataFileError, FetchError."""
        part = self._splits[split]
        if part not in self._examples:
            self._examples[part] = self._read(part)
        return self._examples[part]

    def _read(self, part: str) -> Sequence[Example]:
        folder, files = self._find_files(part)
        examples: dict[str, Example] = {}
        unusable = UnusableItems()
        entries = read_entries(folder, files, part=part, cache=self.cache)
        for entry in bar(entries, label=f"reading cord/{part}"):
            with unusable.count(entry.location):
                if entry.id in examples:
                    raise UnusableError("duplicate name", entry.id)
                examples[entry.id] = _make_example(entry, part=part)
        unusable.report("cord", f"{len(examples)} receipts of {part} in {self.root}", on_unusable=self.on_unusable)
        self.unusable += unusable.counts
        return tuple(examples.values())

    def _find_files(self, part: str) -> tuple[Path, Sequence[str]]:
        """The folder and its files, some of which are of this part. Raises DataFileError, FetchError."""
        folder, files = find_files(
            self.root,
            source="cord",
            revision=self.revision,
            cache=self.cache,
            select=lambda files: [f for f in files if f.endswith(".parquet") and part_of(f) in self._splits.values()],
        )
        parts = sorted({part_of(file) for file in files} - {""})
        if part not in parts:
            raise DataFileError(
                f"cord.root: {self.root}: expected files of the part {part!r}, such as {part}-00000-of-00001.parquet, "
                f"{part}/json/receipt_00000.json or {part}.jsonl; got files of {', '.join(parts) or 'no part'}"
            )
        return folder, files


def _read_parts(splits: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """The part of each split. Raises ValueError unless each split has another part."""
    for name, settings in splits.items():
        if set(settings) != {"part"} or settings["part"] not in PARTS:
            raise ValueError(f"cord.splits.{name}: expected part: {' or '.join(PARTS)}, got {dict(settings)}")
    parts = {name: settings["part"] for name, settings in splits.items()}
    if len(set(parts.values())) < len(parts):
        raise ValueError(f"cord.splits: expected another part for each split, got {parts}")
    return parts


def _make_example(entry: Entry, *, part: str) -> Example:
    """The example of an entry. Raises UnusableError without a parse, or without an image that can be decoded."""
    if entry.fault or entry.row is None or entry.image is None:
        raise UnusableError(entry.fault or "no image", entry.row)
    answer = parse_answer(entry.row)
    _check_image(entry.image)
    return Example(
        id=entry.id,
        images=(Picture(entry.image),),
        facts={"kind": "extract", "answer": answer},
        tags={"kind": "extract", "part": part},
    )


def _check_image(path: Path) -> None:
    """Raise UnusableError unless a file is a PNG or JPEG of bounded size that is complete.

    This is cheap: of a PNG the checksums are read, a JPEG is decoded at an eighth of its size.
    """
    try:
        if path.stat().st_size > MAX_IMAGE_BYTES:
            raise UnusableError("image file too large", path)
    except OSError as error:
        raise UnusableError("no image", path) from error
    try:
        with Image.open(path, formats=("PNG", "JPEG")) as image:
            if image.width * image.height > MAX_PIXELS:
                raise UnusableError("image of too many pixels", f"{image.width} x {image.height} pixels")
            if image.format == "JPEG":
                image.draft("L", (image.width // 8, image.height // 8))
                image.load()
            else:
                image.verify()
    except UnusableError:
        raise
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, SyntaxError, ValueError) as error:
        raise UnusableError("unreadable image", error) from error
