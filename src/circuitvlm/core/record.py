"""Define the text-side data types: examples, dialogues, replies and scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from circuitvlm.core.image import to_rgb


class PictureError(ValueError):
    """An image file that is missing or cannot be decoded; the message names the file."""


@dataclass(frozen=True, slots=True)
class Picture:
    """An image on disk, decoded by `open`."""

    path: Path

    def open(self) -> Image.Image:
        """Decode the image as upright RGB, as `image.to_rgb` does. Raises PictureError."""
        try:
            with Image.open(self.path) as file_image:
                file_image.load()
                return to_rgb(file_image)
        except (OSError, UnidentifiedImageError, Image.DecompressionBombError, SyntaxError, ValueError) as error:
            raise PictureError(f"{self.path}: not a readable image ({error})") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """What a source knows of one item, before anything is asked.

    `facts` is what a task may ask about (for a circuit: its netlist). `tags` is what a report groups by (style, level,
    size). `task` names the task that asks; it is empty until the data module assigns the example to a task.
    """

    id: str
    task: str = ""
    images: tuple[Picture, ...] = ()
    facts: Mapping[str, object] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One turn of a dialogue: `role` is system, user or assistant; the images come before the text."""

    role: str
    text: str
    images: tuple[Picture, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialogue:
    """A question as a model is asked it, with the expected reply.

    `choices` are the only replies that the model may give: it gives the likeliest. Without choices it replies freely.
    """

    id: str
    task: str
    prompt: tuple[Turn, ...]
    reply: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The reply of a model. Replies are stored on disk between generating and grading.

    `cut`: whether it reached max_new_tokens before its end.
    """

    id: str
    task: str
    text: str
    cut: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A metric's score of one reply: `value` in [0, 1], what was read from the reply, and why.

    `weight` (at least 0) is the weight of the reply in a mean. For a metric that is a ratio of sums it is the
    denominator: the micro F1 of a corpus is the mean of F1s, weighted by predicted and expected fields.
    """

    value: float
    read: str = ""
    why: str = ""
    weight: float = 1.0
