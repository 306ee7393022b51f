"""Give generated circuits with questions as examples: quantities are marked in the drawing and solved exactly.

Circuits, styles and shares of topologies are those of `data.circuits`. Each circuit is drawn once, with the marks of
all its questions.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from circuitvlm.circuit.generate import question
from circuitvlm.circuit.generate.question import Question
from circuitvlm.circuit.solve.probe import renumber
from circuitvlm.core.record import Example, Picture
from circuitvlm.data._reading import chunks
from circuitvlm.data._reading.lazy import LazyExamples
from circuitvlm.data._reading.source import SplitSource
from circuitvlm.data.circuits.drawings import Drawing, Split, item_seeds, make_drawing, read_split

VERSION = 2
"""Increase this when a change gives other questions or pixels for the same settings: older caches are then not used."""

_QUESTION_STREAM = 7
_ATTEMPTS = 20


@dataclass(frozen=True, slots=True)
class _Settings:
    """The settings that decide every byte of a split; their names are part of the key of the cache."""

    split: Split
    kinds: tuple[str, ...]
    per_circuit: int


class CircuitQuestions(SplitSource):
    """Generated circuits with `per_circuit` questions each, distributed evenly over `kinds` and devices.

    The kinds are those of `circuit.generate.question`, and "netlist" for the netlist itself. The facts of an example
    are its question, answer, netlist and probe. The other settings are those of `data.circuits.Circuits`; `count` is a
    number of questions.
    """

    def __init__(
        self,
        *,
        seed: int,
        width: int,
        height: int,
        cache: str,
        num_workers: int,
        kinds: Sequence[str],
        per_circuit: int,
        splits: Mapping[str, Mapping[str, Any]],
    ) -> None:
        if per_circuit < 1:
            raise ValueError(f"circuit_questions.per_circuit: expected 1 or more, got {per_circuit!r}")
        if not kinds:
            raise ValueError(f"circuit_questions.kinds: expected at least one kind of question, got {list(kinds)}")
        self.cache = Path(cache).expanduser()
        self.num_workers = num_workers
        self._splits = {
            name: _Settings(
                read_split(name, settings, seed=seed, width=width, height=height), tuple(kinds), int(per_circuit)
            )
            for name, settings in splits.items()
        }

    def _read_split(self, split: str) -> Sequence[Example]:
        """The questions of a split, drawn now if they are not on disk yet."""
        settings = self._splits[split]
        count = settings.split.count
        folder = chunks.prepare_split(
            self.cache,
            settings,
            version=VERSION,
            source="circuit_questions",
            split=split,
            make_item=partial(_make_item, settings),
            select_distinct=partial(chunks.unique_rows, key=lambda row: (row["netlist"], row["questions"])),
            count=-(-count // settings.per_circuit),
            num_workers=self.num_workers,
        )
        numbered_lines = list(product(chunks.read_lines(folder), range(settings.per_circuit)))[:count]
        return LazyExamples(numbered_lines, partial(_make_example, folder))


def _make_example(folder: Path, numbered_line: tuple[bytes, int]) -> Example:
    """The example of one question: the line of its circuit, and its number there."""
    line, number = numbered_line
    row = json.loads(line)
    facts = json.loads(row.pop("questions"))[number]
    return Example(
        id=f"{row.pop('id')}-q{number}",
        images=(Picture(folder / row.pop("image")),),
        facts={**facts, "netlist": row.pop("netlist")},
        tags={**row, "kind": facts["kind"]},
    )


def _make_item(settings: _Settings, index: int) -> tuple[chunks.Row, bytes]:
    """The row and the PNG of item `index`: the first circuit with enough questions and legible marks.

    Raises ValueError after 20 circuits.
    """
    for attempt in range(_ATTEMPTS):
        circuit_index = 10_000_000 * attempt + index
        drawing = make_drawing(settings.split, circuit_index)
        questions = _ask(drawing, settings, circuit_index)
        marks = [q.mark for q in questions if q.mark is not None]
        if len(questions) == settings.per_circuit and drawing.overlap_area(marks) < 1:
            row = {
                "id": f"{settings.split.name}-{index:06d}",
                "netlist": drawing.netlist,
                "questions": json.dumps([_facts(drawing, q) for q in questions]),
                **drawing.tags,
            }
            return row, drawing.image(marks)
    raise ValueError(
        f"circuit_questions.splits.{settings.split.name}: expected a circuit with {settings.per_circuit} legible "
        f"questions of the kinds {', '.join(settings.kinds)}, got none in {_ATTEMPTS} attempts; lower "
        "`per_circuit`, or allow more kinds"
    )


def _ask(drawing: Drawing, settings: _Settings, circuit_index: int) -> tuple[Question, ...]:
    """At most `per_circuit` questions about a drawing, the one for the netlist last."""
    rng = np.random.default_rng(np.random.SeedSequence([*item_seeds(settings.split, circuit_index), _QUESTION_STREAM]))
    solved_kinds = [kind for kind in settings.kinds if kind != "netlist"]
    has_netlist = "netlist" in settings.kinds
    count = settings.per_circuit - has_netlist
    questions = (
        question.questions(drawing.circuit, rng, kinds=solved_kinds, count=count, shows_names=drawing.names_devices)
        if count and solved_kinds
        else ()
    )
    netlist = Question("netlist", "Write the SPICE netlist of this circuit.", drawing.netlist)
    return (*questions, netlist) if has_netlist else questions


def _facts(drawing: Drawing, question: Question) -> dict[str, Any]:
    """The facts of an example; its probe uses the node numbers of the netlist."""
    facts: dict[str, Any] = {"kind": question.kind, "question": question.text, "answer": question.answer}
    if question.probe is not None:
        facts["probe"] = question.probe.card if drawing.is_numbered else renumber(drawing.circuit, question.probe).card
    if question.frequency_hz:
        facts["frequency_hz"] = question.frequency_hz
    if question.options:
        facts["options"] = list(question.options)
    return facts
