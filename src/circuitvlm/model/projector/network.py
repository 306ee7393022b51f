"""Map a picture's grey values to soft tokens of an LLM, by a linear layer or an MLP.

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
    """Map each square of `patch` x `patch` pixels to `tokens` soft tokens.

    It is a linear layer, or an MLP with hidden layers of the widths `hidden` and GELU between them. Its weights are
    new, and in float32 whatever the type of the LLM's, since they are trained.
    """

    def __init__(self, *, patch: int, tokens: int, hidden: Sequence[int], llm_width: int) -> None:
        super().__init__()
        self.patch, self.tokens = patch, tokens
        widths = [patch * patch, *hidden, tokens * llm_width]
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(widths)).float()

    def forward(self, pixels_I3HW: Tensor) -> Tensor:
        """Soft tokens (I, K, D), squares in the order of reading. Grey is the mean of the three colours."""
        x = self._squares(pixels_I3HW.mean(dim=1)).to(next(self.parameters()).dtype)
        *hidden_layers, last_layer = self.layers
        for layer in hidden_layers:
            x = gelu(layer(x))
        tokens: Tensor = last_layer(x)
        images, squares, _ = tokens.shape
        return tokens.reshape(images, squares * self.tokens, -1)

    def _squares(self, grey_IHW: Tensor) -> Tensor:
        """(I, S, P)."""
        images, height, width = grey_IHW.shape
        squares = grey_IHW.reshape(images, height // self.patch, self.patch, width // self.patch, self.patch)
        return squares.transpose(2, 3).reshape(images, -1, self.patch * self.patch)


def make_image_processor(*, image: int, mean: float, std: float) -> CLIPImageProcessorPil:
    """An image processor in the PIL form that needs no torchvision.

    It resizes the whole picture to `image` x `image` pixels, of values from 0 to 1, subtracts `mean` and divides by
    `std`.
    """
    side = {"height": image, "width": image}
    return CLIPImageProcessorPil(
        size=side, crop_size=side, do_center_crop=False, image_mean=[mean] * 3, image_std=[std] * 3
    )
