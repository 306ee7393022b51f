"""Which questions lie as files in folders? `q7_question.txt` and what stands beside it under the same name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath

from circuitvlm.data._reading.files import natural, text_of
from circuitvlm.data._reading.images import RASTER, VECTOR
from circuitvlm.data.circuitsense.draft import Draft, Found, part_of, unusable

_TEXT = re.compile(
    r"(?P<stem>.+)_(?P<what>question|ta_exact|ta_high|ta|netlist|a|mc|der|source|level|category)\.txt", re.IGNORECASE
)
_OWN = ("question", "ta", "ta_exact", "ta_high", "a", "mc")
"""Texts that make an item; the others may also belong to something else."""

_CURATED = ("a", "mc", "der", "source", "level", "category")
_IMAGE = re.compile(
    r"(?P<stem>.+?)(?:_(?:image|img|diagram|figure|fig|circuit)[^/]*)?\.(?:png|jpe?g|svg)", re.IGNORECASE
)
_LEVEL = re.compile(r"level_?([0-9]{1,2}(?:\.[0-9])?)(?![0-9])", re.IGNORECASE)


@dataclass(slots=True)
class Item:
    """The files of one question, as paths relative to the root: texts by what they are, and images."""

    folder: str
    stem: str
    above: str = ""  # the folders that the root itself lies in: someone may give a single level as root
    texts: dict[str, str] = field(default_factory=dict)
    images: list[str] = field(default_factory=list)

    @property
    def files(self) -> list[str]:
        return [*self.texts.values(), *self.images]

    @property
    def part(self) -> str:
        """By the names of its folders; else curated if it has what only those have."""
        known = part_of(PurePosixPath(self.folder).parts) or part_of(PurePosixPath(self.above).parts)
        return known or ("curated" if any(what in self.texts for what in _CURATED) else "synthetic")

    @property
    def id(self) -> str:
        """Its path, which begins with its part: `synthetic/level1/q465`."""
        parts = list(PurePosixPath(self.folder).parts)
        if parts and parts[0].lower() == "analysis":
            del parts[0]
        if not part_of(parts):
            parts.insert(0, self.part)
        elif parts[0].lower() == self.part:
            parts[0] = self.part
        if parts[-1] != self.stem:
            parts.append(self.stem)
        return "/".join(parts)


def items(files: Iterable[str], *, above: str = "") -> list[Item]:
    """The questions among the files of a tree, in natural order. `above` is the end of the path of its root."""
    by_folder: dict[str, list[str]] = {}
    for file in files:
        path = PurePosixPath(file)
        by_folder.setdefault(path.parent.as_posix(), []).append(path.name)
    found = [item for folder, names in by_folder.items() for item in _in_folder(folder, names, above=above)]
    return sorted(found, key=lambda item: (natural(item.folder), natural(item.stem)))


def _in_folder(folder: str, names: Sequence[str], *, above: str) -> Iterator[Item]:
    """The questions in one folder. An image under no question's name belongs to the only one that there is."""
    where = "" if folder == "." else f"{folder}/"
    here: dict[str, Item] = {}
    for name in names:
        if match := _TEXT.fullmatch(name):
            stem = match["stem"]
            item = here.setdefault(stem, Item("" if folder == "." else folder, stem, above))
            item.texts[match["what"].lower()] = where + name
    here = {stem: item for stem, item in here.items() if any(what in item.texts for what in _OWN)}
    loose: list[str] = []
    for name in names:
        if match := _IMAGE.fullmatch(name):
            owner = here.get(match["stem"])
            (loose if owner is None else owner.images).append(where + name)
    only = next(iter(here.values())) if len(here) == 1 else None
    if only is not None and not only.images:
        only.images = loose
    for item in here.values():
        item.images = _chosen(item.images)
        yield item


def _chosen(images: Iterable[str]) -> list[str]:
    """Each picture once, in natural order: of files of one name a raster image rather than an SVG."""
    order = (*RASTER, VECTOR)
    best: dict[str, str] = {}
    for image in sorted(images, key=lambda name: order.index(PurePosixPath(name).suffix.lower())):
        best.setdefault(str(PurePosixPath(image).with_suffix("")), image)
    return sorted(best.values(), key=natural)


def found(root: Path, files: Iterable[str], *, above: str) -> Iterator[Found]:
    """The questions among the files below a root; `above` as in `items`."""
    for item in items(files, above=above):
        yield Found(item.id, item.part, _reading(root, item))


def _reading(root: Path, item: Item) -> Callable[[], Draft]:
    if "question" not in item.texts:
        return unusable("no question")
    if not item.images:
        return unusable("no image")
    return partial(_read, root, item)


def _read(root: Path, item: Item) -> Draft:
    """The draft of an item whose question and image are there. Of several answers the most exact counts."""
    texts = {what: text_of(root / path) for what, path in item.texts.items() if what not in ("der", "source")}
    choice = texts.get("a", "").strip()
    answers = (texts.get(what, "").strip() for what in ("ta_exact", "ta_high", "ta"))
    answer = next((text for text in answers if text), choice)
    stated = re.search(r"[0-9]{1,2}(?:\.[0-9])?", texts.get("level", ""))
    placed = _LEVEL.search(item.folder) or _LEVEL.search(item.above)
    return Draft(
        question=texts["question"],
        answer=answer,
        images=tuple(root / image for image in item.images),
        netlist=texts.get("netlist", ""),
        options=texts.get("mc", ""),
        choice=choice,
        level=stated.group() if stated else placed[1] if placed else "",
        category=" ".join(texts.get("category", "").split()),
    )
