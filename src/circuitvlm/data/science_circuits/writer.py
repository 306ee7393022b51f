"""How does a generated set come to lie on disk in ScienceQA's layout? Whole or not at all, the same for one seed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from circuitvlm.circuit import draw, netlist
from circuitvlm.circuit.draw import layout
from circuitvlm.data.science_circuits import history, language, physics, picture, quiz
from circuitvlm.data.science_circuits.problem import Problem, Template, problem
from circuitvlm.data.scienceqa.files import CAPTIONS, PROBLEMS, SPLITS
from circuitvlm.runtime import worker
from circuitvlm.runtime.progress import bar

VERSION = 2
"""Raise this whenever the same settings would give other problems or other pixels: old folders are then left alone."""

TEMPLATES: Mapping[str, Sequence[Template]] = {
    # pictures twice: nearly every second problem has one, as in ScienceQA
    "exam": (*physics.TEMPLATES, *language.TEMPLATES, *history.TEMPLATES, *picture.TEMPLATES, *picture.TEMPLATES),
    "quiz": quiz.EXAM,
    "quiz_primer": quiz.PRIMER,
}
"""All kinds; those with the same choices each time; what a base for these may have learned, no template of theirs."""

SHARES = {"train": range(80), "val": range(80, 90), "test": range(90, 100)}
"""Which hundredths of all problems a set may draw from: told by the problem itself, so no seed brings it elsewhere."""

TRIES, ROUNDS = 60, 40
_LEGIBLE, _CHUNK = 40, 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What decides every byte of a folder; `counts` by the official names of the sets."""

    seed: int
    side: int
    styles: tuple[str, ...]
    templates: str
    counts: Mapping[str, int]

    @property
    def digest(self) -> str:
        text = json.dumps([VERSION, asdict(self)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def written(settings: Settings, *, cache: Path, workers: int) -> Path:
    """The folder of these settings under `cache`, written on first use. Of two processes the faster one's stays."""
    home = cache / f"{settings.templates}-{settings.digest}"
    if (home / SPLITS).is_file():
        return home
    temporary = cache / f"{home.name}-{uuid.uuid4().hex}.tmp"
    temporary.mkdir(parents=True)
    try:
        _write(settings, temporary, workers=workers)
        os.rename(temporary, home)
    except OSError:
        if not (home / SPLITS).is_file():
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return home


def problems_of(settings: Settings, name: str) -> list[Problem]:
    """The problems of one set, no two alike. Raises ValueError where the templates cannot give so many."""
    seen: set[tuple[str, ...]] = set()
    kept: list[Problem] = []
    templates, count = TEMPLATES[settings.templates], settings.counts[name]
    for index in range(ROUNDS * count + len(templates)):
        if len(kept) == count:
            break
        rng = Random(f"{settings.seed}/{name}/{index}")  # a text, of which Random makes the same numbers everywhere
        for made in (problem(templates[index % len(templates)], rng) for _ in range(TRIES)):
            if made.key not in seen and share_of(made) == name:
                seen.add(made.key)
                kept.append(made)
                break
    if len(kept) < count:
        raise ValueError(f"science_circuits: wanted {count} problems of {name}, found {len(kept)}; ask for fewer")
    return kept


def share_of(made: Problem) -> str:
    """train, val or test, whatever the seed."""
    text = json.dumps(made.key, ensure_ascii=False)
    bucket = int(hashlib.sha256(text.encode()).hexdigest()[:12], 16) % 100
    return next(share for share, buckets in SHARES.items() if bucket in buckets)


def _write(settings: Settings, home: Path, *, workers: int) -> None:
    sets = {name: problems_of(settings, name) for name in settings.counts}
    numbered = list(_numbered(sets))
    shown = [(pid, name, made) for pid, name, made in numbered if made.draft.deck]
    for _, _, made in shown:
        assert made.draft.caption, f"{made.template.name} shows a picture without a caption"
    _draw([(made.draft.deck, home / "images" / name / pid / "image.png") for pid, name, made in shown],
          settings, workers=workers)  # fmt: skip
    _json(home / PROBLEMS[0], {pid: made.row(split=name) for pid, name, made in numbered})
    _json(home / CAPTIONS, {"captions": {pid: made.draft.caption for pid, _, made in shown}})
    _json(home / SPLITS, {name: [pid for pid, of, _ in numbered if of == name] for name in sets})


def _numbered(sets: Mapping[str, Sequence[Problem]]) -> Iterator[tuple[str, str, Problem]]:
    """(pid, set, problem), the pids counted over all sets."""
    every = [(name, made) for name, several in sets.items() for made in several]
    return ((str(number), name, made) for number, (name, made) in enumerate(every, start=1))


def _draw(wanted: Sequence[tuple[str, Path]], settings: Settings, *, workers: int) -> None:
    """All pictures, by worker processes or in this one."""
    work = partial(_save, settings)
    if workers < 1 or len(wanted) < _CHUNK:
        for one in bar(wanted, label="drawing science_circuits"):
            work(one)
        return
    with worker.pool(workers) as pool:
        for _ in bar(pool.map(work, wanted, chunksize=_CHUNK), total=len(wanted), label="drawing science_circuits"):
            pass


def _save(settings: Settings, wanted: tuple[str, Path]) -> None:
    deck, path = wanted
    path.parent.mkdir(parents=True)
    path.write_bytes(
        drawing(deck, side=settings.side, styles=settings.styles, seed=f"{settings.seed}/{path.parent.name}")
    )


def drawing(deck: str, *, side: int, styles: Sequence[str], seed: str) -> bytes:
    """The PNG of a netlist on a square page, with labels that touch nothing. Raises ValueError where none have room."""
    circuit = netlist.parse(deck)
    placement, rng = layout.place(circuit), Random(seed)
    for _ in range(_LEGIBLE):
        page: dict[str, Any] = {
            "style": rng.choice(styles),
            "width": side,
            "height": side,
            "seed": rng.randrange(2**31),
        }
        if draw.crowding(circuit, placement, **page) < 1:
            return draw.image(circuit, placement, **page)
    raise ValueError(f"science_circuits: {deck!r} is not legible on {side} x {side} pixels; state a larger side")


def _json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
