"""Pad samples to the longest, one in each row of a batch.

Shape suffixes: B rows, T tokens in a row, R position axes.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from circuitvlm.core.tensor import IGNORE, TEXT, Batch, Encoded


class Padded:
    """One sample per row. `side` is right for training, and left for generation, where all prompts end together."""

    def __call__(self, samples: Sequence[Encoded], *, pad: int, side: str) -> Batch:
        if side not in ("left", "right"):
            raise ValueError(f"collate: side: expected 'left' or 'right', got {side!r}")
        width = max(len(sample) for sample in samples)

        def rows(tensors: Sequence[Tensor], fill: int) -> Tensor:
            shape = (*tensors[0].shape[:-1], width)
            filled_rows = torch.full((len(tensors), *shape), fill, dtype=tensors[0].dtype)
            for row, tensor in zip(filled_rows, tensors, strict=True):
                size = tensor.shape[-1]
                row[..., slice(width - size, width) if side == "left" else slice(size)] = tensor
            return filled_rows

        segment_BT = rows([torch.full_like(s.tokens_T, k) for k, s in enumerate(samples)], -1)
        keys = dict.fromkeys(key for sample in samples for key in sample.vision)
        return Batch(
            ids=tuple(sample.id for sample in samples),
            tasks=tuple(sample.task for sample in samples),
            tokens_BT=rows([s.tokens_T for s in samples], pad),
            labels_BT=rows([s.labels_T for s in samples], IGNORE),
            modality_BT=rows([s.modality_T for s in samples], TEXT),
            image_BT=rows([s.image_T for s in samples], -1),
            segment_BT=segment_BT,
            positions_RBT=rows([s.positions_RT for s in samples], 0).transpose(0, 1).contiguous(),
            mask=segment_BT >= 0,
            vision={key: torch.cat([s.vision[key] for s in samples if key in s.vision]) for key in keys},
            choices=tuple(s.choices for s in samples) if any(s.choices for s in samples) else (),
            shrunk_images=sum(s.shrunk_images for s in samples),
        )
