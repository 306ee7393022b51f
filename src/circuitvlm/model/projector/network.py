"""What stands in front of a frozen LLM? A linear map, or a few, from a picture's grey values to soft tokens.

Shape suffixes: I images, H and W pixels, S squares of an image, P pixels of a square, K soft tokens of an image, D
width of the LLM.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn.functional import gelu
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil


class Encoder(nn.Module):
    """Each square of `patch` x `patch` pixels becomes `tokens` soft tokens, by a linear map without or an MLP with
    `hidden` layers of these widths (GELU between them).

    New weights, in float32 whatever the LLM is in, as an adapter's are: they are there to be trained.
    """

    def __init__(self, *, patch: int, tokens: int, hidden: Sequence[int], spoken: int) -> None:
        super().__init__()
        self.patch, self.tokens = patch, tokens
        widths = [patch * patch, *hidden, tokens * spoken]
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(widths)).float()

    def forward(self, pixels_I3HW: Tensor) -> Tensor:
        """Soft tokens (I, K, D), squares in the order of reading. Grey is the mean of the three colours."""
        x = self._squares(pixels_I3HW.mean(dim=1)).to(next(self.parameters()).dtype)
        *hidden, last = self.layers
        for layer in hidden:
            x = gelu(layer(x))
        made: Tensor = last(x)
        images, squares, _ = made.shape
        return made.reshape(images, squares * self.tokens, -1)

    def _squares(self, grey_IHW: Tensor) -> Tensor:
        """(I, S, P)."""
        images, height, width = grey_IHW.shape
        cut = grey_IHW.reshape(images, height // self.patch, self.patch, width // self.patch, self.patch)
        return cut.transpose(2, 3).reshape(images, -1, self.patch * self.patch)


def pictures(*, image: int, mean: float, std: float) -> CLIPImageProcessorPil:
    """The image processor, in the PIL form that needs no torchvision: the whole picture as `image` x `image` pixels of
    0 to 1, less `mean`, divided by `std`."""
    side = {"height": image, "width": image}
    return CLIPImageProcessorPil(
        size=side, crop_size=side, do_center_crop=False, image_mean=[mean] * 3, image_std=[std] * 3
    )
