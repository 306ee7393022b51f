"""Give generated school questions about circuits as examples, in ScienceQA's layout and read like ScienceQA.

The folder has the official layout (problems.json, pid_splits.json, captions.json, images/), so any program that reads
ScienceQA can read it. Every answer is computed when the question is generated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from circuitvlm.circuit import draw
from circuitvlm.core.record import Example
from circuitvlm.data._reading.settings import check_choice
from circuitvlm.data._reading.source import SplitSource
from circuitvlm.data.science_circuits.writer import SETS, TEMPLATES, Settings, prepare_folder
from circuitvlm.data.scienceqa import ScienceQA


class ScienceCircuits(SplitSource):
    """Generated questions in the three subjects and all grades, with and without hints and pictures.

    `templates` is the collection of questions: "quiz", or "quiz_primer" to train a model before the quiz, without any
    template of it. A template has the same choices in the same order each time, so that a very small model can learn
    it. `side` is the size of the square pictures in pixels, and `styles` are names of `circuit.draw`. Each split sets
    `count` and `pids`, the official set that it gives: train, val or test. No problem is in two of these sets, whatever
    the seed. Facts and tags are those of ScienceQA. `cache` has one folder for all splits of the same settings, and
    `num_workers` processes draw (0: this one).
    """

    def __init__(
        self,
        *,
        seed: int,
        templates: Literal["quiz", "quiz_primer"],
        side: int,
        styles: Sequence[str],
        cache: str,
        num_workers: int,
        splits: Mapping[str, Mapping[str, Any]],
    ) -> None:
        check_choice("science_circuits.templates", templates, TEMPLATES)
        if not styles:
            raise ValueError(f"science_circuits.styles: expected at least one of {', '.join(draw.STYLES)}, got []")
        for style in styles:
            draw.find_style(style)
        for name, settings in splits.items():
            if set(settings) != {"count", "pids"} or settings["pids"] not in SETS or settings["count"] < 1:
                raise ValueError(
                    f"science_circuits.splits.{name}: expected count: 1 or more, and pids: {', '.join(SETS)}, got "
                    f"{dict(settings)}"
                )
        self._splits = {name: str(settings["pids"]) for name, settings in splits.items()}
        if len(set(self._splits.values())) < len(self._splits):
            raise ValueError(f"science_circuits.splits: expected different pids in all splits, got {self._splits}")
        self.settings = Settings(
            seed=seed,
            side=side,
            styles=tuple(styles),
            templates=templates,
            counts={self._splits[name]: int(settings["count"]) for name, settings in splits.items()},
        )
        self.cache, self.num_workers = Path(cache).expanduser(), num_workers

    def _read_split(self, split: str) -> Sequence[Example]:
        """The examples of a split; the folder of all splits is written now if it is not on disk yet.

        Raises ValueError for more problems than the templates can give.
        """
        return self.reader.examples(split)

    @cached_property
    def reader(self) -> ScienceQA:
        """The source that reads the folder."""
        return ScienceQA(
            root=str(prepare_folder(self.settings, cache=self.cache, num_workers=self.num_workers)),
            revision="",
            splits={name: {"pids": pids} for name, pids in self._splits.items()},
            on_missing_image="stop",
            on_unusable="stop",
            cache=str(self.cache),
        )
