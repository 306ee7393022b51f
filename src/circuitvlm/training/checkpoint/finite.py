"""Refuse trained weights that are not finite, before they are saved or used."""

from __future__ import annotations

from itertools import chain

from torch import nn

from circuitvlm.core.sharded import non_finite_names
from circuitvlm.training.ranks import gather


class NonFiniteError(RuntimeError):
    """A loss, a gradient or a weight is NaN or infinite on some rank; the message names it."""


def check_finite_weights(module: nn.Module, place: str) -> None:
    """Raise NonFiniteError on all ranks where a trained weight of any rank is not finite. All ranks call it."""
    names = non_finite_names({name: p for name, p in module.named_parameters() if p.requires_grad})
    if all_names := sorted(set(chain.from_iterable(gather(names)))):
        raise NonFiniteError(
            f"{place}: expected finite weights, got NaN or infinity in {len(all_names)} of them, such as "
            f"{all_names[0]}; nothing is saved or used. Start from an older checkpoint, with a lower optimizer.lr"
        )
