"""Optimize hidden matrices by Muon, and all other weights by AdamW.

Muon (Jordan et al. 2024, kellerjordan.github.io/posts/muon) replaces the momentum of a matrix by the nearest orthogonal
one, so that every direction is learnt as fast as the strongest. It is meant for the matrices within a net: embeddings,
heads, convolutions, norms and biases stay with AdamW. Both optimizers are torch's own; here they act as one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
from torch.optim import AdamW, Optimizer


class Muon(Optimizer):
    """One optimizer over the groups of `training/parameter_groups.py`, of which each has `matrix: bool`.

    `lr` is the rate of the matrices (an update has spectral norm about 1, so it is some ten times larger than one of
    AdamW), and `adamw_share` times that is the rate of all other weights; both follow the same schedule. `momentum` is
    Muon's, `betas` are AdamW's. Raises ValueError for a group without `matrix`.
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
        groups = list(params)
        for index, group in enumerate(groups):
            if not isinstance(group, dict) or "matrix" not in group:
                kind = f"a group of {', '.join(group)}" if isinstance(group, dict) else type(group).__name__
                raise ValueError(
                    f"muon: expected parameter group {index} with `matrix` (true: Muon, false: AdamW), got {kind}. "
                    "Pass the groups of circuitvlm.training.parameter_groups.parameter_groups, not plain parameters"
                )
        super().__init__([dict(group) for group in groups], {"lr": lr, "weight_decay": weight_decay})
        for group in self.param_groups:
            group["lr"] *= 1.0 if group["matrix"] else adamw_share
        factories: dict[bool, Callable[..., Optimizer]] = {
            True: partial(torch.optim.Muon, momentum=momentum),
            False: partial(AdamW, betas=(betas[0], betas[1])),
        }
        self._optimizers: dict[bool, Optimizer] = {
            matrix: make(of_kind, lr=lr, weight_decay=weight_decay)
            for matrix, make in factories.items()
            if (of_kind := [group for group in self.param_groups if group["matrix"] is matrix])
        }
        self._share_state()

    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]  # torch overloads it
        """Make one step of both, with the present gradients or those of the closure; returns the closure's loss."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for optimizer in self._optimizers.values():
            optimizer.step()
        return loss

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a result of `state_dict`."""
        super().load_state_dict(state_dict)
        self._share_state()

    def _share_state(self) -> None:
        """Let both optimizers work on this one's groups and state, which loading replaces."""
        for matrix, optimizer in self._optimizers.items():
            optimizer.state = self.state
            optimizer.param_groups = [group for group in self.param_groups if group["matrix"] is matrix]
