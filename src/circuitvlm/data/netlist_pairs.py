"""Read images with their netlists from a file of LLaVA's conversations.

The format is that of LLaVA's fine-tuning data (github.com/haotian-liu/LLaVA, docs/Finetune_Custom_Data.md): a list, or
one object a line, of `{"id", "image", "conversations": [{"from": "human", "value": "<image>\\n.."}, {"from": "gpt",
"value": ".."}]}`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

from circuitvlm.circuit import netlist
from circuitvlm.circuit.judge.equivalence import topology_key
from circuitvlm.core.record import Example, Picture
from circuitvlm.data._reading.files import MAX_JSON_BYTES, UnusableError, resolve_inside
from circuitvlm.data._reading.images import usable_image
from circuitvlm.data._reading.json_rows import read_rows
from circuitvlm.data._reading.settings import check_choice
from circuitvlm.data._reading.source import SplitSource
from circuitvlm.data._reading.splits import read_shares, split_by_share
from circuitvlm.data._reading.unusable import ACTIONS, UnusableItems
from circuitvlm.data.circuitsense.examples import parse_circuit
from circuitvlm.runtime.progress import bar

IMAGE_MARK = "<image>"


class NetlistPairs(SplitSource):
    """The netlists of conversations about images: the first question of each, and its answer.

    `root` is a folder and `file` the JSON in it; images are relative to the file's folder or to its subfolder `images`.
    Each of `splits` has its `share`; the shares sum to 1. Isomorphic circuits are in one split. With `on_unusable:
    count`, what has no readable image or netlist is skipped and counted in `unusable`; with "stop" it is an error.

    Facts: `kind` (netlist), `question`, `answer` and `netlist`, the last two canonical. Tags: kind, topology.
    """

    def __init__(
        self, *, root: str, file: str, splits: Mapping[str, Mapping[str, float]], cache: str, on_unusable: str
    ) -> None:
        check_choice("netlist_pairs.on_unusable", on_unusable, ACTIONS)
        self.path = Path(root).expanduser() / file
        self._splits = read_shares(splits, source="netlist_pairs")
        self.cache = Path(cache).expanduser()
        self.on_unusable = on_unusable

    @property
    def unusable(self) -> Counter[str]:
        """The number of unusable conversations by reason."""
        return self._contents[1]

    def _read_split(self, split: str) -> Sequence[Example]:
        """The examples of a split, in the file's order; it is read on the first call. Raises DataFileError."""
        return tuple(e for e in self._contents[0] if split_by_share(e.tags["topology"], self._splits) == split)

    @cached_property
    def _contents(self) -> tuple[Sequence[Example], Counter[str]]:
        """All examples of the file, and the number of unusable conversations by reason."""
        examples: dict[str, Example] = {}
        unusable = UnusableItems()
        rows = read_rows(self.path, max_bytes=MAX_JSON_BYTES)
        for number, row in enumerate(bar(rows, label="reading netlist_pairs"), start=1):
            with unusable.count(f"number {number}"):
                example = self._make_example(row, number=number)
                if example.id in examples:
                    raise UnusableError("duplicate id", example.id)
                examples[example.id] = example
        summary = f"{len(examples)} conversations in {self.path}"
        unusable.report("netlist_pairs", summary, on_unusable=self.on_unusable)
        return tuple(examples.values()), unusable.counts

    def _make_example(self, row: Any, *, number: int) -> Example:
        if not isinstance(row, Mapping):
            raise UnusableError("no conversation", row)
        question, answer = _find_turns(row)
        circuit = parse_circuit(answer)
        if circuit is None:
            raise UnusableError("unreadable netlist", answer)
        text = netlist.format(circuit)
        name = row.get("id")
        return Example(
            id=str(name) if isinstance(name, str | int) and str(name) else f"pair-{number}",
            images=(Picture(self._find_image(row.get("image"))),),
            facts={"kind": "netlist", "question": question, "answer": text, "netlist": text},
            tags={"kind": "netlist", "topology": topology_key(circuit)},
        )

    def _find_image(self, relative_path: object) -> Path:
        if not isinstance(relative_path, str) or not relative_path:
            raise UnusableError("no image", relative_path)
        folder = self.path.parent
        paths = [resolve_inside(folder, relative_path), resolve_inside(folder / "images", relative_path)]
        return usable_image(next((path for path in paths if path.is_file()), paths[0]), cache=self.cache)


def _find_turns(row: Mapping[str, Any]) -> tuple[str, str]:
    """The first question of the human without the mark of the image, and its answer. Raises UnusableError."""
    turns = row.get("conversations")
    turns = [turn for turn in turns if isinstance(turn, Mapping)] if isinstance(turns, list) else []
    for first, second in pairwise(turns):
        question, answer = first.get("value"), second.get("value")
        speakers = (first.get("from"), second.get("from"))
        if speakers == ("human", "gpt") and isinstance(question, str) and isinstance(answer, str):
            question = question.replace(IMAGE_MARK, " ").strip()
            if not question or not answer.strip():
                raise UnusableError("no answer" if question else "no question", first)
            return question, answer
    raise UnusableError("no conversation", row)
