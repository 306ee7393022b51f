"""Find the questions that are files in folders: `q7_question.txt` with its images and other texts of the same stem."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path, PurePosixPath

from circuitvlm.data._reading.files import natural_key, read_text
from circuitvlm.data._reading.images import RASTER, VECTOR
from circuitvlm.data.circuitsense.raw import QuestionRef, RawQuestion, part_of, unusable_loader

_TEXT = re.compile(
    r"(?P<stem>.+)_(?P<role>question|ta_exact|ta_high|ta|netlist|a|mc|der|source|level|category)\.txt", re.IGNORECASE
)
_QUESTION_ROLES = {"question", "ta", "ta_exact", "ta_high", "a", "mc"}
"""The texts that only a question has; the others may also belong to something else."""

_CURATED_ROLES = {"a", "mc", "der", "source", "level", "category"}
_IMAGE = re.compile(
    r"(?P<stem>.+?)(?:_(?:image|img|diagram|figure|fig|circuit)[^/]*)?\.(?:png|jpe?g|svg)", re.IGNORECASE
)
_LEVEL = re.compile(r"level_?([0-9]{1,2}(?:\.[0-9])?)(?![0-9])", re.IGNORECASE)


@dataclass(slots=True)
class QuestionFiles:
    """The files of one question, as paths relative to the root: texts by their role, and images.

    `root_path` is the end of the path of the root, which may itself be the folder of a part or a level.
    """

    folder: str
    stem: str
    root_path: str = ""
    texts: dict[str, str] = field(default_factory=dict)
    images: list[str] = field(default_factory=list)

    @property
    def files(self) -> list[str]:
        return [*self.texts.values(), *self.images]

    @property
    def part(self) -> str:
        """The part by the names of the folders; else curated if it has a text that only curated questions have."""
        part = part_of(PurePosixPath(self.folder).parts) or part_of(PurePosixPath(self.root_path).parts)
        return part or ("curated" if _CURATED_ROLES & self.texts.keys() else "synthetic")

    @property
    def id(self) -> str:
        """The path, which begins with the part: `synthetic/level1/q465`."""
        components = list(PurePosixPath(self.folder).parts)
        if components and components[0].lower() == "analysis":
            del components[0]
        if not part_of(components):
            components.insert(0, self.part)
        elif components[0].lower() == self.part:
            components[0] = self.part
        if components[-1] != self.stem:
            components.append(self.stem)
        return "/".join(components)


def group_files(files: Iterable[str], *, root_path: str = "") -> list[QuestionFiles]:
    """The questions among the files below a root, in natural order."""
    names_by_folder: dict[str, list[str]] = {}
    for file in files:
        path = PurePosixPath(file)
        names_by_folder.setdefault(path.parent.as_posix(), []).append(path.name)
    questions = chain.from_iterable(
        _group_folder("" if folder == "." else folder, names, root_path=root_path)
        for folder, names in names_by_folder.items()
    )
    return sorted(questions, key=lambda question: (natural_key(question.folder), natural_key(question.stem)))


def _group_folder(folder: str, names: Sequence[str], *, root_path: str) -> Iterator[QuestionFiles]:
    """The questions of one folder. If there is only one, it also has the images with other stems."""
    prefix = f"{folder}/" if folder else ""
    questions: dict[str, QuestionFiles] = {}
    for name in names:
        if match := _TEXT.fullmatch(name):
            question = questions.setdefault(match["stem"], QuestionFiles(folder, match["stem"], root_path))
            question.texts[match["role"].lower()] = prefix + name
    questions = {stem: question for stem, question in questions.items() if _QUESTION_ROLES & question.texts.keys()}
    other_images: list[str] = []
    for name in names:
        if match := _IMAGE.fullmatch(name):
            owner = questions.get(match["stem"])
            (other_images if owner is None else owner.images).append(prefix + name)
    for question in questions.values():
        if len(questions) == 1 and not question.images:
            question.images = other_images
        question.images = _select_images(question.images)
        yield question


def _select_images(images: Iterable[str]) -> list[str]:
    """Each picture once, in natural order; a raster image is preferred to an SVG file of the same name."""
    preference = (*RASTER, VECTOR)
    files: dict[str, str] = {}
    for image in sorted(images, key=lambda name: preference.index(PurePosixPath(name).suffix.lower())):
        files.setdefault(str(PurePosixPath(image).with_suffix("")), image)
    return sorted(files.values(), key=natural_key)


def find_questions(root: Path, files: Iterable[str], *, root_path: str) -> Iterator[QuestionRef]:
    """The questions among the files below a root; `root_path` is the end of the path of the root."""
    questions = group_files(files, root_path=root_path)
    return (QuestionRef(question.id, question.part, _loader(root, question)) for question in questions)


def _loader(root: Path, question: QuestionFiles) -> Callable[[], RawQuestion]:
    if "question" not in question.texts:
        return unusable_loader("no question", sorted(question.texts))
    if not question.images:
        return unusable_loader("no image", question.id)
    return partial(_load, root, question)


def _load(root: Path, question: QuestionFiles) -> RawQuestion:
    """Read a question that has a text and an image; of several answers, the most exact one."""
    texts = {role: read_text(root / path) for role, path in question.texts.items() if role not in ("der", "source")}
    choice = texts.get("a", "").strip()
    answers = (texts.get(role, "").strip() for role in ("ta_exact", "ta_high", "ta"))
    level_text = re.search(r"[0-9]{1,2}(?:\.[0-9])?", texts.get("level", ""))
    level_folder = _LEVEL.search(question.folder) or _LEVEL.search(question.root_path)
    return RawQuestion(
        question=texts["question"],
        answer=next((answer for answer in answers if answer), choice),
        images=tuple(root / image for image in question.images),
        netlist=texts.get("netlist", ""),
        options=texts.get("mc", ""),
        choice=choice,
        level=level_text.group() if level_text else level_folder[1] if level_folder else "",
        category=" ".join(texts.get("category", "").split()),
    )
