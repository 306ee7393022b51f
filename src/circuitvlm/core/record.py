"""What travels, as plain text and pictures: from a source to a task, and from a reply to a score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image, UnidentifiedImageError


class PictureError(ValueError):
    """An image file that is missing or cannot be decoded; the message names the file."""


@dataclass(frozen=True, slots=True)
class Picture:
    """An image on disk, decoded only where it is needed."""

    path: Path

    def open(self) -> Image.Image:
        """The image as RGB; transparency becomes white paper. Raises PictureError."""
        try:
            with Image.open(self.path) as raw:
                raw.load()
                if raw.mode in ("RGBA", "LA", "PA") or "transparency" in raw.info:
                    rgba = raw.convert("RGBA")
                    paper = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
                    return Image.alpha_composite(paper, rgba).convert("RGB")
                return raw.convert("RGB")
        except (OSError, UnidentifiedImageError, Image.DecompressionBombError, SyntaxError, ValueError) as error:
            raise PictureError(f"{self.path}: not a readable image ({error})") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """What a source knows of one item, before anything is asked.

    `facts` is what a task may ask about (for a circuit: its netlist); `tags` is what a report groups by (style, level,
    size). `task` names the task that asks: empty until the run's data module has dealt the example to one.
    """

    id: str
    task: str = ""
    images: tuple[Picture, ...] = ()
    facts: Mapping[str, object] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One speaker's part of a dialogue: `role` is system, user or assistant; the images stand before the text."""

    role: str
    text: str
    images: tuple[Picture, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialogue:
    """A question as a model is asked it, with the reply that is wanted of it.

    `choices`: the only replies that a model may give, the likeliest of which it does; empty where it may say anything.
    """

    id: str
    task: str
    prompt: tuple[Turn, ...]
    reply: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a model said. Replies lie on disk between generating and grading."""

    id: str
    task: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A metric's verdict on one reply: `value` in [0, 1], what was read out of the reply, and why.

    `weight` (at least 0) is what the reply counts for among others: of a metric that is a ratio of sums, its
    denominator. The micro F1 of a corpus is the mean of F1s whose weights are the fields said and wanted.
    """

    value: float
    read: str = ""
    why: str = ""
    weight: float = 1.0
