"""How is a gradient turned into a step? Hidden matrices are moved by Muon, all else by AdamW.

Muon (Jordan et al. 2024, kellerjordan.github.io/posts/muon) replaces the momentum of a matrix by the nearest orthogonal
one, so that every direction is learnt as fast as the strongest. It is meant for the matrices within a net: embeddings,
heads, convolutions, norms and biases stay with AdamW. Both are torch's own; this file only lets them act as one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
from torch.optim import AdamW, Optimizer


class Muon(Optimizer):
    """One optimizer over parameter groups, each of which says by `matrix: bool` who moves it
    (training/parameter_groups.py).

    `lr` is the rate of the matrices (an update has spectral norm about 1, so it is some ten times larger than one of
    AdamW), `adamw_share` times that is the rate of the rest; both follow the same schedule. `momentum` is Muon's,
    `betas` are AdamW's.
    """

    def __init__(
        self,
        params: Iterable[dict[str, Any]],
        *,
        lr: float,
        adamw_share: float,
        momentum: float,
        betas: tuple[float, float],
        weight_decay: float,
    ) -> None:
        given = list(params)
        for place, group in enumerate(given):
            if not isinstance(group, dict) or "matrix" not in group:
                raise ValueError(
                    f"muon: parameter group {place} does not say `matrix` (true: Muon moves it; false: AdamW). "
                    "Pass the groups that circuitvlm.training.parameter_groups.groups makes of a net, "
                    "not plain parameters"
                )
        super().__init__([dict(group) for group in given], {"lr": lr, "weight_decay": weight_decay})
        for group in self.param_groups:
            group["lr"] *= 1.0 if group["matrix"] else adamw_share
        parts: dict[bool, Callable[..., Optimizer]] = {
            True: partial(torch.optim.Muon, momentum=momentum),
            False: partial(AdamW, betas=(betas[0], betas[1])),
        }
        self._parts: dict[bool, Optimizer] = {
            matrix: make(mine, lr=lr, weight_decay=weight_decay)
            for matrix, make in parts.items()
            if (mine := [group for group in self.param_groups if group["matrix"] is matrix])
        }
        self._share()

    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]  # torch overloads it
        """One step of both, on the gradients that lie ready or that the closure makes; gives the closure's loss."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for part in self._parts.values():
            part.step()
        return loss

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up what `state_dict` gave."""
        super().load_state_dict(state_dict)
        self._share()

    def _share(self) -> None:
        """Groups and state are this optimizer's own; its parts work on the same objects, which loading replaces."""
        for matrix, part in self._parts.items():
            part.state = self.state
            part.param_groups = [group for group in self.param_groups if group["matrix"] is matrix]
