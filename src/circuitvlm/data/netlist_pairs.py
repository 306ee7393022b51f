"""Where from? Images with their netlists, told as LLaVA's conversations.

The format is that of LLaVA's fine-tuning data (github.com/haotian-liu/LLaVA, docs/Finetune_Custom_Data.md): a list, or
one object a line, of `{"id", "image", "conversations": [{"from": "human", "value": "<image>\\n.."}, {"from": "gpt",
"value": ".."}]}`.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

from circuitvlm.circuit import netlist
from circuitvlm.circuit.judge.equivalence import topology_key
from circuitvlm.core.record import Example, Picture
from circuitvlm.data._reading import images
from circuitvlm.data._reading.files import (
    MAX_JSON_BYTES,
    DataFileError,
    UnusableError,
    decoded,
    json_of,
    parsed,
    within,
)
from circuitvlm.data.circuitsense import share_of, shares_of
from circuitvlm.data.circuitsense.examples import circuit_of
from circuitvlm.runtime.progress import bar

ACTIONS = ("count", "stop")
IMAGE = "<image>"
log = logging.getLogger(__name__)


class NetlistPairs:
    """The netlists of conversations about images: the first question of each, and its answer.

    `root` is a folder and `file` the JSON in it; images lie relative to the file's folder or to `images` in it. Each of
    `splits` states its `share`, together 1; isomorphic circuits lie in one split. `on_unusable` is "count" (what has no
    readable image or netlist is left out, counted in `unusable` and told once) or "stop" (it is an error).
    Facts: `kind` (netlist), `question`, `answer` and `netlist`, the last two canonical. Tags: kind, topology.
    """

    def __init__(
        self, *, root: str, file: str, splits: Mapping[str, Mapping[str, float]], cache: str, on_unusable: str
    ) -> None:
        self.path = Path(root).expanduser() / file
        self.shares = shares_of(splits, source="netlist_pairs")
        self.cache = Path(cache).expanduser()
        if on_unusable not in ACTIONS:
            raise ValueError(f"netlist_pairs: on_unusable is {on_unusable!r}; wanted {' or '.join(ACTIONS)}")
        self.on_unusable = on_unusable
        self._reasons: Counter[str] = Counter()

    @property
    def unusable(self) -> Counter[str]:
        """How many conversations could not be used, by reason."""
        assert self._examples is not None, "reading them counts"
        return self._reasons

    def splits(self) -> tuple[str, ...]:
        """The names of the splits, in the order of the configuration."""
        return tuple(self.shares)

    def examples(self, split: str) -> Sequence[Example]:
        """The examples of a split, in the file's order; it is read on the first call. Raises DataFileError."""
        if split not in self.shares:
            raise ValueError(f"netlist_pairs: no split {split!r}; there are {', '.join(self.shares)}")
        return tuple(e for e in self._examples if share_of(e.tags["topology"], self.shares) == split)

    @cached_property
    def _examples(self) -> tuple[Example, ...]:
        taken: dict[str, Example] = {}
        reasons = self._reasons = Counter()
        first: dict[str, str] = {}
        for place, row in enumerate(bar(_rows(self.path), label="reading netlist_pairs"), start=1):
            try:
                example = self._example(row, place=place)
                if example.id in taken:
                    raise UnusableError("id comes twice")
                taken[example.id] = example
            except UnusableError as error:
                reasons[str(error)] += 1
                first.setdefault(str(error), f"number {place}")
        told = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
        if reasons and self.on_unusable == "stop":
            such = ", ".join(f"{name} ({reason})" for reason, name in list(first.items())[:5])
            raise DataFileError(f"{self.path}: {reasons.total()} conversations cannot be used: {such}")
        left = f"; {reasons.total()} cannot be used ({told})" if reasons else ""
        log.info("netlist_pairs: %d conversations%s", len(taken), left)
        return tuple(taken.values())

    def _example(self, row: Any, *, place: int) -> Example:
        if not isinstance(row, Mapping):
            raise UnusableError("no conversation")
        question, answer = _turns(row)
        circuit = circuit_of(answer)
        if circuit is None:
            raise UnusableError("netlist that cannot be read")
        text = netlist.format(circuit)
        name = row.get("id")
        return Example(
            id=str(name) if isinstance(name, str | int) and str(name) else f"pair-{place}",
            images=(Picture(self._image(row.get("image"))),),
            facts={"kind": "netlist", "question": question, "answer": text, "netlist": text},
            tags={"kind": "netlist", "topology": topology_key(circuit)},
        )

    def _image(self, stated: object) -> Path:
        if not isinstance(stated, str) or not stated:
            raise UnusableError("no image")
        here = self.path.parent
        paths = [within(here, stated), within(here / "images", stated)]
        return images.usable(next((path for path in paths if path.is_file()), paths[0]), cache=self.cache)


def _rows(path: Path) -> list[Any]:
    """The conversations of a file that is one list, or has one object a line. Raises DataFileError."""
    if not path.is_file():
        raise DataFileError(f"netlist_pairs: there is no file {path}; wanted LLaVA conversations as JSON or JSON lines")
    try:
        with path.open("rb") as file:
            start = file.read(1000).removeprefix(b"\xef\xbb\xbf").lstrip()
        rows = json_of(path) if start.startswith(b"[") else list(_lines(path))
    except UnusableError as error:
        raise DataFileError(f"{path}: {error}") from error
    assert isinstance(rows, list), "a text that begins with a bracket is a list"
    return rows


def _lines(path: Path) -> Iterator[Any]:
    if path.stat().st_size > MAX_JSON_BYTES:
        raise UnusableError("JSON file too large")
    begin = 0
    for line in path.read_bytes().split(b"\n"):
        if line.strip():
            yield parsed(decoded(line), path=path, begin=begin)
        begin += len(line) + 1


def _turns(row: Mapping[str, Any]) -> tuple[str, str]:
    """What the human asks first, without the mark of the image, and what is answered to that."""
    turns = row.get("conversations")
    said = [turn for turn in turns if isinstance(turn, Mapping)] if isinstance(turns, list) else []
    texts = [(turn.get("from"), turn.get("value")) for turn in said]
    for (asker, asked), (answerer, answered) in pairwise(texts):
        if (asker, answerer) == ("human", "gpt") and isinstance(asked, str) and isinstance(answered, str):
            question = asked.replace(IMAGE, " ").strip()
            if not question or not answered.strip():
                raise UnusableError("no question" if not question else "no answer")
            return question, answered
    raise UnusableError("no conversation")
