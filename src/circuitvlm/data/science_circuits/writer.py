"""Generate sets of problems, and write them to disk in ScienceQA's layout, the same bytes for the same seed."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from circuitvlm.circuit import draw, netlist
from circuitvlm.circuit.draw import layout
from circuitvlm.data._reading.chunks import settings_digest
from circuitvlm.data._reading.splits import generated_split
from circuitvlm.data.science_circuits import picture, text
from circuitvlm.data.science_circuits.problem import Problem, Template, draw_problem
from circuitvlm.data.scienceqa.layout import CAPTIONS, PROBLEMS, SPLITS
from circuitvlm.runtime import worker
from circuitvlm.runtime.progress import bar

VERSION = 2
"""Increase this when a change gives other problems or pixels for the same settings: older folders are then not used."""

TEMPLATES: Mapping[str, Sequence[Template]] = {
    "quiz": (
        picture.component_shown, picture.unit_of_shown, picture.honoured_by_shown, picture.letter_of_shown,
        picture.series_or_parallel, picture.how_many,
        text.current_changes, text.more_than_each, text.conducts, text.article, text.both_nouns,
        text.subject_or_object, text.century_of, text.half_of_century,
    ),
    # pictures three times, since they take longer to learn
    "quiz_primer": (
        *(picture.beside, picture.is_there) * 3,
        text.which_is_less, text.last_of_two, text.earlier_year,
    ),
}  # fmt: skip

SETS = ("train", "val", "test")
"""The official sets, with 80, 10 and 10 % of all problems; the hash of a problem says to which it belongs."""

TRIES, ROUNDS = 60, 40
_DRAWING_ATTEMPTS, _CHUNK = 40, 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings that decide every byte of a folder, whose name is made of them; `counts` by the official sets."""

    seed: int
    side: int
    styles: tuple[str, ...]
    templates: str
    counts: Mapping[str, int]


def prepare_folder(settings: Settings, *, cache: Path, num_workers: int) -> Path:
    """The folder of these settings below `cache`, written on first use. If two processes write it, the first one wins.

    `num_workers` processes draw (0: this one).
    """
    folder = cache / f"{settings.templates}-{settings_digest(settings, version=VERSION)}"
    if (folder / SPLITS).is_file():
        return folder
    temporary = cache / f"{folder.name}-{uuid.uuid4().hex}.tmp"
    temporary.mkdir(parents=True)
    try:
        _write(settings, temporary, num_workers=num_workers)
        os.sync()  # else a power loss leaves empty files under the final name
        os.rename(temporary, folder)
    except OSError:
        if not (folder / SPLITS).is_file():
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def generate_problems(settings: Settings, name: str) -> list[Problem]:
    """The problems of one set, without duplicates. Raises ValueError if the templates cannot give enough of them."""
    problems: dict[tuple[str, ...], Problem] = {}
    templates, count = TEMPLATES[settings.templates], settings.counts[name]
    for index in range(ROUNDS * count + len(templates)):
        if len(problems) == count:
            break
        rng = Random(f"{settings.seed}/{name}/{index}")  # a text gives the same random numbers on every machine
        for problem in (draw_problem(templates[index % len(templates)], rng) for _ in range(TRIES)):
            if problem.key not in problems and find_set(problem) == name:
                problems[problem.key] = problem
                break
    if len(problems) < count:
        raise ValueError(f"science_circuits: expected {count} problems of {name}, got {len(problems)}; lower `count`")
    return list(problems.values())


def find_set(problem: Problem) -> str:
    """The set of a problem: train, val or test, whatever the seed."""
    return generated_split(json.dumps(problem.key, ensure_ascii=False), SETS)


def _write(settings: Settings, folder: Path, *, num_workers: int) -> None:
    sets = {name: generate_problems(settings, name) for name in settings.counts}
    named_problems = [(name, problem) for name, problems in sets.items() for problem in problems]
    rows, captions, drawings = {}, {}, []
    pids: dict[str, list[str]] = {name: [] for name in sets}
    for number, (name, problem) in enumerate(named_problems, start=1):
        pid = str(number)
        pids[name].append(pid)
        rows[pid] = problem.row(split=name)
        if problem.draft.netlist:
            captions[pid] = problem.draft.caption
            drawings.append((problem.draft.netlist, folder / "images" / name / pid / "image.png"))
    _draw(drawings, settings, num_workers=num_workers)
    _write_json(folder / PROBLEMS[0], rows)
    _write_json(folder / CAPTIONS, {"captions": captions})
    _write_json(folder / SPLITS, pids)


def _draw(drawings: Sequence[tuple[str, Path]], settings: Settings, *, num_workers: int) -> None:
    """Draw each netlist into its file, in worker processes or in this one."""
    save, label = partial(_save_drawing, settings), "drawing science_circuits"
    if num_workers < 1 or len(drawings) < _CHUNK:
        for drawing in bar(drawings, label=label):
            save(drawing)
        return
    with worker.pool(num_workers) as pool:
        for _ in bar(pool.map(save, drawings, chunksize=_CHUNK), total=len(drawings), label=label):
            pass


def _save_drawing(settings: Settings, drawing: tuple[str, Path]) -> None:
    netlist_text, path = drawing
    path.parent.mkdir(parents=True)
    seed = f"{settings.seed}/{path.parent.name}"
    path.write_bytes(draw_netlist(netlist_text, side=settings.side, styles=settings.styles, seed=seed))


def draw_netlist(netlist_text: str, *, side: int, styles: Sequence[str], seed: str) -> bytes:
    """The PNG of a netlist on a square of `side` pixels. Raises ValueError if its labels are not legible there."""
    circuit = netlist.parse(netlist_text)
    placement, rng = layout.place(circuit), Random(seed)
    for _ in range(_DRAWING_ATTEMPTS):
        page: dict[str, Any] = {
            "style": rng.choice(styles),
            "width": side,
            "height": side,
            "seed": rng.randrange(2**31),
        }
        if draw.overlap_area(circuit, placement, **page) < 1:
            return draw.image(circuit, placement, **page)
    raise ValueError(f"science_circuits.side: expected a side at which {netlist_text!r} is legible, got {side}")


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
