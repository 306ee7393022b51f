"""Where from? School questions about circuits of our own making, in ScienceQA's layout, read as ScienceQA is read.

The folder is the official layout (problems.json, pid_splits.json, captions.json, images/), so whatever reads ScienceQA
reads it too. Every answer is known or computed when the question is made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from circuitvlm.circuit import draw
from circuitvlm.core.record import Example
from circuitvlm.data.science_circuits.writer import SHARES, TEMPLATES, Settings, written
from circuitvlm.data.scienceqa import ScienceQA
from circuitvlm.runtime.spelling import suggestion


class ScienceCircuits:
    """Generated questions in the three subjects and all grades, with and without hints and pictures.

    `templates` says which collection is asked: "exam", all kinds with their choices shuffled; "quiz", whose templates
    have the same choices in the same order each time, so that a very small model can learn them; or "quiz_primer", of
    the same sort with no template of the quiz, to train such a model before. `side` is that of the pictures in pixels,
    `styles` how they are drawn (circuit.draw). Each split states `count` and `pids`, the official set that it is:
    train, val or test. No problem lies in two of these, of whatever seed. Facts and tags are those of ScienceQA;
    `cache` holds the folders, one for all splits of one setting, and `workers` processes draw (0: this one).
    """

    def __init__(
        self,
        *,
        seed: int,
        templates: Literal["exam", "quiz", "quiz_primer"],
        side: int,
        styles: Sequence[str],
        cache: str,
        workers: int,
        splits: Mapping[str, Mapping[str, Any]],
    ) -> None:
        if templates not in TEMPLATES:
            raise ValueError(
                f"science_circuits: templates is {templates!r}; wanted {', '.join(TEMPLATES)}."
                f"{suggestion(templates, TEMPLATES)}"
            )
        if not styles:
            raise ValueError(f"science_circuits: styles is empty; wanted some of {', '.join(draw.STYLES)}")
        for style in styles:
            draw.style_named(style)
        for name, stated in splits.items():
            if set(stated) != {"count", "pids"} or stated["pids"] not in SHARES or stated["count"] < 1:
                raise ValueError(
                    f"science_circuits: split {name!r} states {dict(stated)}; wanted a count of 1 or more and pids: "
                    f"{', '.join(SHARES)}"
                )
        self.sets = {name: str(stated["pids"]) for name, stated in splits.items()}
        if len(set(self.sets.values())) < len(self.sets):
            raise ValueError(f"science_circuits: two splits are of the same pids: {self.sets}")
        self.settings = Settings(
            seed=seed,
            side=side,
            styles=tuple(styles),
            templates=templates,
            counts={self.sets[name]: int(stated["count"]) for name, stated in splits.items()},
        )
        self.cache, self.workers = Path(cache).expanduser(), workers

    def splits(self) -> tuple[str, ...]:
        """The names of the splits, in the order of the configuration."""
        return tuple(self.sets)

    def examples(self, split: str) -> Sequence[Example]:
        """The examples of a split; all splits are made and drawn now if they are not on disk yet."""
        if split not in self.sets:
            raise ValueError(f"science_circuits: no split {split!r}; there are {', '.join(self.sets)}")
        return self.reader.examples(split)

    @cached_property
    def reader(self) -> ScienceQA:
        """The folder, as ScienceQA's own is read."""
        return ScienceQA(
            root=str(written(self.settings, cache=self.cache, workers=self.workers)),
            revision="",
            splits={name: {"pids": pids} for name, pids in self.sets.items()},
            on_missing_image="stop",
            on_unusable="stop",
            cache=str(self.cache),
        )
