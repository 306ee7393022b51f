"""Define the tensor-side data types: an encoded sample, a batch of segments, and a sum with its count.

Shape suffixes: B rows, T tokens in a row, R position axes (3 for multimodal RoPE), N labelled tokens, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

IGNORE = -100
"""The label of a token that is not to be predicted."""

TEXT, IMAGE = 0, 1
"""Values of the modality of a token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """One dialogue as a codec's tokens.

    tokens_T, labels_T (long; the token itself where it is to be predicted, else IGNORE), modality_T and image_T (index
    of the image a token belongs to, -1 for text), positions_RT; `vision` holds the family's own tensors, each
    concatenable over samples along its first axis. `choices` are the tokens of the only replies that may
    be given, each with its end token. `shrunk_images`: how many of its images were shrunk to fit the bound of tokens.
    """

    id: str
    task: str
    tokens_T: Tensor
    labels_T: Tensor
    modality_T: Tensor
    image_T: Tensor
    positions_RT: Tensor
    vision: Mapping[str, Tensor]
    choices: tuple[tuple[int, ...], ...] = ()
    shrunk_images: int = 0

    def __len__(self) -> int:
        return int(self.tokens_T.numel())


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Segments in rows: segment k belongs to reply `ids[k]`. A row may hold several segments, and padding (segment -1).

    mask is (B, T) bool for rows of one segment, or (B, 1, T, T) additive where rows are shared. `window_count` is the
    count to divide by (see Objective.count), over the whole accumulation window on all ranks; 0 until the loader
    has counted. `choices` holds the choices of each segment, where any has some. `shrunk_images`: how many images were
    shrunk to fit the bound of tokens.
    """

    ids: tuple[str, ...]
    tasks: tuple[str, ...]
    tokens_BT: Tensor
    labels_BT: Tensor
    modality_BT: Tensor
    image_BT: Tensor
    segment_BT: Tensor
    positions_RBT: Tensor
    mask: Tensor
    vision: Mapping[str, Tensor]
    window_count: float = 0.0
    choices: tuple[tuple[tuple[int, ...], ...], ...] = ()
    shrunk_images: int = 0

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Self:
        """Return the batch on another device. Lightning moves a batch only through this method."""
        tensors = {name: value.to(device, non_blocking=non_blocking) for name, value in self._tensors().items()}
        vision = {name: value.to(device, non_blocking=non_blocking) for name, value in self.vision.items()}
        return replace(self, **tensors, vision=vision)  # type: ignore[arg-type]  # replace() has no per-field types

    def _tensors(self) -> dict[str, Tensor]:
        return {name: value for name in self.__slots__ if isinstance(value := getattr(self, name), Tensor)}

    @property
    def target_mask(self) -> Tensor:
        """(B, T) bool: the positions whose *next* token is labelled, where logits are computed."""
        mask_BT = torch.zeros_like(self.labels_BT, dtype=torch.bool)
        mask_BT[:, :-1] = self.labels_BT[:, 1:] != IGNORE
        return mask_BT

    @property
    def pictured_BT(self) -> Tensor:
        """(B, T) bool: the tokens of segments with an image."""
        segments = torch.unique(self.segment_BT[(self.modality_BT == IMAGE) & (self.segment_BT >= 0)])
        return torch.isin(self.segment_BT, segments)

    @property
    def labels_N(self) -> Tensor:
        """The labels at `target_mask`, in the same order."""
        return self.labels_BT[:, 1:][self.target_mask[:, :-1]]

    @property
    def segment_N(self) -> Tensor:
        """The segment of each label at `target_mask`, in the same order."""
        return self.segment_BT[:, 1:][self.target_mask[:, :-1]]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class Tally:
    """A sum and the count to divide it by. Sums are added over batches and ranks; the mean is taken at the end."""

    sum: Tensor
    count: Tensor

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.sum + other.sum, self.count + other.count)

    @property
    def mean(self) -> Tensor:
        """sum / count, and 0 where there was nothing to count."""
        return self.sum / self.count.clamp(min=torch.finfo(self.sum.dtype).tiny)
