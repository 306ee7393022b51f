"""Read instructions with their answers: Alpaca's JSON, and LLaVA's conversations with or without images.

Alpaca's format is a list of `{"instruction", "input", "output"}` (github.com/tatsu-lab/stanford_alpaca), LLaVA's a list
of `{"id", "image", "conversations": [{"from": "human", "value": "<image>\\n.."}, {"from": "gpt", "value": ".."}]}`
(github.com/haotian-liu/LLaVA). Files of both may be used together, as LaVIN's chat mixture does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from circuitvlm.core.record import Example, Picture
from circuitvlm.data._reading.files import UnusableError, resolve_inside
from circuitvlm.data._reading.images import RASTER, usable_image
from circuitvlm.data._reading.json_rows import read_rows
from circuitvlm.data._reading.lazy import LazyExamples
from circuitvlm.data._reading.settings import check_choice
from circuitvlm.data._reading.source import SplitSource
from circuitvlm.data._reading.splits import read_shares, split_by_share
from circuitvlm.data._reading.unusable import ACTIONS, UnusableItems
from circuitvlm.data.instructions.rows import Conversation, parse_row
from circuitvlm.runtime.progress import bar

MAX_FILE_BYTES = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Entry:
    """What an example is made from: a conversation, and the index of its turn that is the answer."""

    id: str
    conversation: Conversation
    answer: int
    image: Path | None


class Instructions(SplitSource):
    """Questions with their answers and the turns before them.

    `root` is a folder, `files` the JSON files in it (lists, or one object a line), `images` the subfolder to which
    the images of conversations are relative. `turns`: a conversation of several turns gives an example for "every"
    answer or for the "last" only; the turns before it are part of the question. Each of `splits` has its `share`; the
    shares sum to 1. Conversations with the same image or the same first question are in one split. With `on_unusable:
    count`, what has no question, answer or readable image is skipped and counted in `unusable`; with "stop" it is an
    error.

    Facts: `kind` (instruction), `question`, `answer`, `history` (pairs of role and text, oldest first). Tags: kind and
    file.
    """

    def __init__(
        self,
        *,
        root: str,
        files: Sequence[str],
        images: str,
        turns: Literal["every", "last"],
        splits: Mapping[str, Mapping[str, float]],
        on_unusable: Literal["count", "stop"],
    ) -> None:
        check_choice("instructions.turns", turns, ("every", "last"))
        check_choice("instructions.on_unusable", on_unusable, ACTIONS)
        if len({Path(file).stem for file in files}) < len(files) or not files:
            raise ValueError(f"instructions.files: expected one or more files of different names, got {list(files)}")
        self.root, self.files, self.images = Path(root).expanduser(), tuple(files), images
        self.turns, self.on_unusable = turns, on_unusable
        self._splits = read_shares(splits, source="instructions")

    def _read_split(self, split: str) -> Sequence[Example]:
        """The examples of a split, in the files' order; they are read on the first call. Raises DataFileError."""
        return LazyExamples(self._entries[0][split], _make_example)

    @property
    def unusable(self) -> Counter[str]:
        """The number of unusable conversations by reason."""
        return self._entries[1]

    @cached_property
    def _entries(self) -> tuple[Mapping[str, Sequence[Entry]], Counter[str]]:
        """The entries of each split, and the number of unusable conversations by reason."""
        entries: dict[str, list[Entry]] = {split: [] for split in self._splits}
        unusable = UnusableItems()
        for file in self.files:
            stem = Path(file).stem
            rows = read_rows(self.root / file, max_bytes=MAX_FILE_BYTES)
            for number, row in enumerate(bar(rows, label=f"reading {file}"), start=1):
                name = f"{stem}-{number}"
                with unusable.count(name):
                    conversation = parse_row(row, file=stem)
                    image = self._find_image(conversation.image)
                    split = split_by_share(conversation.key, self._splits)
                    entries[split] += self._make_entries(name, conversation, image)
        counts = ", ".join(f"{len(split_entries)} {split}" for split, split_entries in entries.items())
        unusable.report("instructions", f"{counts} in {self.root}", on_unusable=self.on_unusable)
        return entries, unusable.counts

    def _make_entries(self, name: str, conversation: Conversation, image: Path | None) -> list[Entry]:
        answers = conversation.answers
        if len(answers) == 1 or self.turns == "last":
            return [Entry(name, conversation, answers[-1], image)]
        return [Entry(f"{name}.{k}", conversation, answer, image) for k, answer in enumerate(answers, start=1)]

    def _find_image(self, relative_path: str) -> Path | None:
        """The path of an image; None for a conversation without one. Raises UnusableError."""
        if not relative_path:
            return None
        path = resolve_inside(self.root / self.images, relative_path)
        if path.suffix.lower() not in RASTER:
            raise UnusableError("unreadable image", relative_path)
        return usable_image(path, cache=self.root)


def _make_example(entry: Entry) -> Example:
    turns = entry.conversation.turns
    facts: dict[str, Any] = {
        "kind": "instruction",
        "question": turns[entry.answer - 1].text,
        "answer": turns[entry.answer].text,
        "history": tuple((turn.role, turn.text) for turn in turns[: entry.answer - 1]),
    }
    images = () if entry.image is None else (Picture(entry.image),)
    return Example(
        id=entry.id, images=images, facts=facts, tags={"kind": "instruction", "file": entry.conversation.file}
    )
