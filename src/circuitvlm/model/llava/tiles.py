"""How much does a LLaVA see of a picture? Its tower sees squares, each of which gives a grid of tokens.

LLaVA-1.5 (arXiv 2310.03744) looks once; LLaVA-NeXT looks at the whole, and again at its parts on a larger page.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from transformers.image_processing_utils import select_best_resolution

Size = tuple[int, int]
"""Height and width."""


@dataclass(frozen=True, slots=True)
class Eye:
    """A tower that sees squares of `side` pixels, in patches of `patch`.

    classed: whether its class token is kept beside the patches'. pages: the sizes in pixels on which LLaVA-NeXT lays
    out a picture; None for a LLaVA-1.5.
    """

    side: int
    patch: int
    classed: bool
    pages: tuple[Size, ...] | None

    @classmethod
    def of(cls, config: Any) -> Eye:
        """That of a checkpoint's configuration. Raises ValueError for a tower of another kind than CLIP's."""
        kind = config.vision_config.model_type
        if kind not in ("clip", "clip_vision_model"):
            raise ValueError(
                f"model.weights: its vision tower is of the type {kind!r}, wanted CLIP's, as LLaVA-1.5 has it"
            )
        pages = getattr(config, "image_grid_pinpoints", None)
        classed = config.vision_feature_select_strategy == "full"
        if pages is not None and classed:
            raise ValueError(
                "model.weights: a LLaVA-NeXT that keeps the class token (vision_feature_select_strategy=full)"
            )
        return cls(
            side=config.vision_config.image_size,
            patch=config.vision_config.patch_size,
            classed=classed,
            pages=None if pages is None else tuple((int(height), int(width)) for height, width in pages),
        )

    def squares(self, size: Size) -> int:
        """How many squares the tower sees of a picture: the whole, and each of its page."""
        if self.pages is None:
            return 1
        height, width = self._page(size)
        return 1 + -(-height // self.side) * -(-width // self.side)

    def tokens(self, size: Size) -> int:
        """How many tokens a picture has: the whole's and, on a page, those of its own part of it and an end of line.

        A page is larger than the picture is long or wide; the rows or columns that are all margin are left out, as many
        on one side as on the other (`unpad` of LLaVA-NeXT).
        """
        line = self.side // self.patch
        whole = line * line + self.classed
        if self.pages is None:
            return whole
        rows, columns = (line * (length // self.side) for length in self._page(size))
        height, width = size
        if width / height > columns / rows:
            rows -= _margin(rows, shown=height * (columns / width))
        else:
            columns -= _margin(columns, shown=width * (rows / height))
        return whole + rows * (columns + 1)

    def _page(self, size: Size) -> Size:
        """The page that shows most of the picture and wastes least."""
        page: Size = select_best_resolution(size, list(self.pages or ()))
        return page


def _margin(lines: int, *, shown: float) -> int:
    """How many of so many lines are margin: the same number on both sides."""
    return (lines - int(round(shown, 7))) // 2 * 2
