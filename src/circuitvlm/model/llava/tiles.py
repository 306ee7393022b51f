"""Count the tiles that a LLaVA's vision tower encodes of a picture, and the tokens that they become.

LLaVA-1.5 (arXiv 2310.03744) encodes the picture once. LLaVA-NeXT also encodes the tiles of a larger version of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from transformers.image_processing_utils import select_best_resolution

Size = tuple[int, int]
"""Height and width in pixels."""


@dataclass(frozen=True, slots=True)
class TileLayout:
    """The layout of a picture for a tower that encodes tiles of `side` x `side` pixels, in patches of `patch` pixels.

    keeps_class_token: whether the class token is a feature, like the patches. resolutions: the sizes to which
    LLaVA-NeXT may resize a picture before it cuts it into tiles; None for a LLaVA-1.5.
    """

    side: int
    patch: int
    keeps_class_token: bool
    resolutions: tuple[Size, ...] | None

    @classmethod
    def from_config(cls, config: Any) -> TileLayout:
        """The layout that a checkpoint's configuration states. Raises ValueError for another tower than CLIP's."""
        tower_type = config.vision_config.model_type
        if tower_type not in ("clip", "clip_vision_model"):
            raise ValueError(
                f"model.weights: expected a CLIP vision tower, got one of the type {tower_type!r}; give a LLaVA such "
                "as llava-hf/llava-1.5-7b-hf"
            )
        resolutions = getattr(config, "image_grid_pinpoints", None)
        strategy = config.vision_feature_select_strategy
        if resolutions is not None and strategy == "full":
            raise ValueError(
                "model.weights: expected a LLaVA-NeXT without the class token, got vision_feature_select_strategy="
                f"{strategy!r} in its config.json; give a checkpoint that has 'default' there"
            )
        return cls(
            side=config.vision_config.image_size,
            patch=config.vision_config.patch_size,
            keeps_class_token=strategy == "full",
            resolutions=None if resolutions is None else tuple((int(h), int(w)) for h, w in resolutions),
        )

    def tile_count(self, size: Size) -> int:
        """The number of tiles of a picture: the whole picture, and each tile of its larger version."""
        if self.resolutions is None:
            return 1
        height, width = self._resolution(size)
        return 1 + -(-height // self.side) * -(-width // self.side)

    def token_count(self, size: Size) -> int:
        """The number of tokens of a picture: those of the whole picture and, for each row of its larger version, the
        row's own and an end of line.

        The larger version may be longer or wider than the picture's own proportions. Rows or columns that are all
        margin are left out, as many on one side as on the other (`unpad_image` of LLaVA-NeXT).
        """
        line_length = self.side // self.patch
        whole_count = line_length * line_length + self.keeps_class_token
        if self.resolutions is None:
            return whole_count
        rows, columns = (line_length * (length // self.side) for length in self._resolution(size))
        height, width = size
        if width / height > columns / rows:
            rows -= _margin_lines(rows, picture_lines=height * (columns / width))
        else:
            columns -= _margin_lines(columns, picture_lines=width * (rows / height))
        return whole_count + rows * (columns + 1)

    def _resolution(self, size: Size) -> Size:
        """The resolution that shows most of the picture's pixels and has the smallest margin."""
        resolution: Size = select_best_resolution(size, list(self.resolutions or ()))
        return resolution


def _margin_lines(lines: int, *, picture_lines: float) -> int:
    """How many of the lines are margin: the same number on both sides."""
    return (lines - int(round(picture_lines, 7))) // 2 * 2
