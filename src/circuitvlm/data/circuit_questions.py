"""Where from? Questions about circuits of our own making: what is asked is marked in the drawing, and solved exactly.

Circuits, styles and shares of topologies are those of `data.circuits`; each circuit is drawn once, with the marks of
all its questions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from circuitvlm.circuit.generate import question
from circuitvlm.circuit.generate.question import Question
from circuitvlm.circuit.solve.probe import renumbered
from circuitvlm.core.record import Example, Picture
from circuitvlm.data._reading import chunks
from circuitvlm.data.circuits.drawings import Drawn, Split, drawn, series_of, split_of

VERSION = 2
"""Raise this whenever the same settings would give other questions or other pixels: old caches are then left alone."""

_STREAM = 7
_TRIES = 20


@dataclass(frozen=True, slots=True)
class _Settings:
    split: Split
    kinds: tuple[str, ...]
    per_circuit: int


class CircuitQuestions:
    """Generated circuits with `per_circuit` questions each, uniform over `kinds` (see `circuit.question`) and devices.

    The kind "netlist" asks for the netlist itself. An example states its question, answer, netlist and probe as facts.
    The other settings are those of `data.circuits.Circuits`; `count` counts questions.
    """

    def __init__(
        self,
        *,
        seed: int,
        width: int,
        height: int,
        cache: str,
        workers: int,
        kinds: Sequence[str],
        per_circuit: int,
        splits: Mapping[str, Mapping[str, Any]],
    ) -> None:
        if per_circuit < 1 or not kinds:
            raise ValueError(
                f"circuit_questions: {per_circuit} questions a circuit of the kinds {list(kinds)}; wanted 1"
            )
        self.cache = Path(cache).expanduser()
        self.workers = workers
        self._splits = {
            name: _Settings(
                split_of(name, settings, seed=seed, width=width, height=height), tuple(kinds), int(per_circuit)
            )
            for name, settings in splits.items()
        }

    def splits(self) -> tuple[str, ...]:
        """The names of the splits, in the order of the configuration."""
        return tuple(self._splits)

    def examples(self, split: str) -> Sequence[Example]:
        """The questions of a split; drawn now if they are not on disk yet."""
        if split not in self._splits:
            raise ValueError(f"circuit_questions: no split {split!r}; there are {', '.join(self._splits)}")
        settings = self._splits[split]
        count = settings.split.count
        folder = chunks.kept(
            self.cache,
            settings,
            version=VERSION,
            source="circuit_questions",
            split=split,
            make=partial(_make, settings),
            distinct=_distinct,
            count=-(-count // settings.per_circuit),
            workers=self.workers,
        )
        return Examples(folder, count=count, per_circuit=settings.per_circuit)


class Examples(chunks.Lazy):
    """The questions of a finished split; a row, one circuit's, is parsed when one of its questions is asked for."""

    def __init__(self, folder: Path, *, count: int, per_circuit: int) -> None:
        self.folder = folder
        self._count = count
        self.per_circuit = per_circuit
        self._rows = chunks.lines(folder)

    def __len__(self) -> int:
        return self._count

    def one(self, place: int) -> Example:
        row = json.loads(self._rows[place // self.per_circuit])
        number = place % self.per_circuit
        asked = json.loads(row.pop("questions"))[number]
        picture = Picture(self.folder / row.pop("image"))
        netlist = row.pop("netlist")
        return Example(
            id=f"{row.pop('id')}-q{number}",
            images=(picture,),
            facts={**asked, "netlist": netlist},
            tags={**row, "kind": asked["kind"]},
        )


def _make(settings: _Settings, index: int) -> tuple[chunks.Row, bytes]:
    """Number `index` of the split's series: the first circuit that has enough questions and room for their marks."""
    for turn in range(_TRIES):
        number = index if not turn else 10_000_000 * turn + index
        made = drawn(settings.split, number)
        asked = _asked(made, settings, number)
        marks = [a.mark for a in asked if a.mark is not None]
        if len(asked) == settings.per_circuit and made.crowding(marks) < 1:
            return _row(settings.split, index, made, asked), made.image(marks)
    raise ValueError(
        f"circuit_questions: split {settings.split.name!r} found no circuit with {settings.per_circuit} legible"
        f" questions of the kinds {', '.join(settings.kinds)} in {_TRIES} tries; ask fewer of each, or more kinds"
    )


def _asked(made: Drawn, settings: _Settings, index: int) -> tuple[Question, ...]:
    rng = np.random.default_rng(np.random.SeedSequence([*series_of(settings.split, index), _STREAM]))
    solved = [kind for kind in settings.kinds if kind != "netlist"]
    wants_netlist = len(solved) < len(settings.kinds)
    count = settings.per_circuit - wants_netlist
    asked = (
        question.questions(made.circuit, rng, kinds=solved, count=count, named=made.names_devices)
        if count and solved
        else ()
    )
    netlist = Question("netlist", "Write the SPICE netlist of this circuit.", made.netlist)
    return (*asked, netlist) if wants_netlist else asked


def _row(split: Split, index: int, made: Drawn, asked: Sequence[Question]) -> chunks.Row:
    return {
        "id": f"{split.name}-{index:06d}",
        "netlist": made.netlist,
        "questions": json.dumps([_facts(made, a) for a in asked]),
        "style": str(made.page["style"]),
        "components": str(len(made.circuit.devices)),
        "family": made.family,
        "topology": made.topology,
    }


def _facts(made: Drawn, asked: Question) -> dict[str, Any]:
    """What an example states, its probe by the numbers of the netlist's nodes."""
    facts: dict[str, Any] = {"kind": asked.kind, "question": asked.text, "answer": asked.answer}
    if asked.probe is not None:
        probe = asked.probe if made.is_numbered else renumbered(made.circuit, asked.probe)
        facts["probe"] = probe.card
    if asked.frequency_hz:
        facts["frequency_hz"] = asked.frequency_hz
    if asked.options:
        facts["options"] = list(asked.options)
    return facts


def _distinct(rows: Iterable[chunks.Row]) -> list[chunks.Row]:
    """Each netlist with its questions once, the first that came."""
    seen: set[tuple[str, str]] = set()
    kept = []
    for row in rows:
        key = (row["netlist"], row["questions"])
        if key not in seen:
            seen.add(key)
            kept.append(row)
    return kept
