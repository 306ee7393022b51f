"""Where from? Instructions with their answers: Alpaca's JSON, and LLaVA's conversations with images or without.

Alpaca's format is a list of `{"instruction", "input", "output"}` (github.com/tatsu-lab/stanford_alpaca), LLaVA's one of
`{"id", "image", "conversations": [{"from": "human", "value": "<image>\\n.."}, {"from": "gpt", "value": ".."}]}`
(github.com/haotian-liu/LLaVA). Files of both may be given together, as LaVIN's chat mixture is.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from circuitvlm.core.record import Example, Picture
from circuitvlm.data._reading import images as pictures
from circuitvlm.data._reading.chunks import Lazy
from circuitvlm.data._reading.files import DataFileError, UnusableError, within
from circuitvlm.data.circuitsense import share_of, shares_of
from circuitvlm.data.instructions import rows
from circuitvlm.data.instructions.rows import Conversation
from circuitvlm.runtime.progress import bar

ACTIONS, TURNS = ("count", "stop"), ("every", "last")
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Entry:
    """One example to be: which turn of which conversation answers, by its place among them."""

    id: str
    conversation: Conversation
    answer: int
    image: Path | None


class Instructions:
    """Questions with their answers, and what was said before them.

    `root` is a folder, `files` the JSON files in it (lists, or one object a line), `images` the folder in it to which
    conversations' images are relative. `turns`: a conversation of several turns gives an example for "every" answer or
    for the "last" only; the turns before it are part of the question. Each of `splits` states its `share`, together 1;
    conversations that share an image or a first question lie in one split. `on_unusable` is "count" (what has no
    question, answer or readable image is left out, counted in `unusable` and told once) or "stop" (it is an error).

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
        for key, said, known in (("turns", turns, TURNS), ("on_unusable", on_unusable, ACTIONS)):
            if said not in known:
                raise ValueError(f"instructions: {key} is {said!r}; wanted {' or '.join(known)}")
        if len({Path(file).stem for file in files}) < len(files) or not files:
            raise ValueError(f"instructions: files are {list(files)}; wanted one or more of different names")
        self.root, self.files, self.images = Path(root).expanduser(), tuple(files), images
        self.turns, self.on_unusable = turns, on_unusable
        self.shares = shares_of(splits, source="instructions")

    def splits(self) -> tuple[str, ...]:
        """The names of the splits, in the order of the configuration."""
        return tuple(self.shares)

    def examples(self, split: str) -> Sequence[Example]:
        """The examples of a split, in the files' order; they are read on the first call. Raises DataFileError."""
        if split not in self.shares:
            raise ValueError(f"instructions: no split {split!r}; there are {', '.join(self.shares)}")
        return Answers(self._read[0][split])

    @property
    def unusable(self) -> Counter[str]:
        """How many conversations could not be used, by reason."""
        return self._read[1]

    @cached_property
    def _read(self) -> tuple[Mapping[str, Sequence[Entry]], Counter[str]]:
        dealt: dict[str, list[Entry]] = {split: [] for split in self.shares}
        reasons: Counter[str] = Counter()
        first: dict[str, str] = {}
        for file in self.files:
            stem = Path(file).stem
            for place, row in enumerate(bar(rows.load(self.root / file), label=f"reading {file}"), start=1):
                name = f"{stem}-{place}"
                try:
                    conversation = rows.conversation(row, file=stem)
                    image = self._image(conversation.image)
                except UnusableError as error:
                    reasons[str(error)] += 1
                    first.setdefault(str(error), name)
                    continue
                dealt[share_of(conversation.key, self.shares)] += self._entries(name, conversation, image)
        self._tell(dealt, reasons, first)
        return dealt, reasons

    def _entries(self, name: str, conversation: Conversation, image: Path | None) -> list[Entry]:
        answers = conversation.answers
        if len(answers) == 1 or self.turns == "last":
            return [Entry(name, conversation, answers[-1], image)]
        return [Entry(f"{name}.{k}", conversation, answer, image) for k, answer in enumerate(answers, start=1)]

    def _image(self, stated: str) -> Path | None:
        """The image's path; None for a conversation without one. Raises UnusableError."""
        if not stated:
            return None
        path = within(self.root / self.images, stated)
        if path.suffix.lower() not in pictures.RASTER:
            raise UnusableError("unreadable image")
        return pictures.usable(path, cache=self.root)

    def _tell(self, dealt: Mapping[str, Sequence[Entry]], reasons: Counter[str], first: Mapping[str, str]) -> None:
        if reasons and self.on_unusable == "stop":
            such = ", ".join(f"{name} ({reason})" for reason, name in list(first.items())[:5])
            raise DataFileError(f"instructions: {self.root}: {reasons.total()} conversations cannot be used: {such}")
        told = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
        left = f"; {reasons.total()} conversations cannot be used ({told})" if reasons else ""
        counts = ", ".join(f"{len(entries)} {split}" for split, entries in dealt.items())
        log.info("instructions: %s%s", counts, left)


class Answers(Lazy):
    """The examples of one split."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = entries

    def __len__(self) -> int:
        return len(self.entries)

    def one(self, place: int) -> Example:
        entry = self.entries[place]
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
