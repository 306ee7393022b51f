"""How does a norm's output change with the modality of its sample? Two expert updates, mixed by a router.

The mixture-of-modality adapter of LaVIN (arXiv 2305.15023), routed by a sample's modality instead of a token of it.

Shape suffixes: B samples, T tokens, D width, K routed states (two modalities, or the images of a batch), E experts (2),
G groups, R the bottleneck's width.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.hooks import RemovableHandle

from circuitvlm.adapter.mixture_of_modality.config import MixtureConfig
from circuitvlm.core.tensor import IMAGE

EXPERTS = 2
MODALITIES = 2  # TEXT and IMAGE of core.tensor


class Told:
    """What all wrapped norms of a net know of the samples: no module, so that none of it is saved twice.

    pictured_BT stays until the next forward pass tells otherwise, since gradient checkpointing computes in the backward
    pass once more. embeddings holds each adapter's shared modality embedding, where its router reads one.
    """

    def __init__(self, embeddings: nn.ModuleDict) -> None:
        self.pictured_BT: Tensor | None = None
        self.embeddings = embeddings

    def modality(self, h_BTD: Tensor) -> Tensor:
        """(B, T) or what spreads to it: the modality of each token's sample. Untold, all is text.

        Tokens beyond those told of, and those of a generation step, belong to the rows' last ones.
        """
        rows, tokens = h_BTD.shape[:2]
        if self.pictured_BT is None:
            return torch.zeros(1, 1, dtype=torch.long, device=h_BTD.device)
        told_BT = self.pictured_BT.to(h_BTD.device).long()
        if len(told_BT) != rows:
            raise ValueError(
                f"adapter: route() was told of {len(told_BT)} rows, and {rows} came; tell it of this batch"
            )
        if tokens < told_BT.shape[1]:
            return told_BT[:, -1:]
        more = told_BT[:, -1:].expand(-1, tokens - told_BT.shape[1])
        return torch.cat([told_BT, more], dim=1)


class Mixture(nn.Module):
    """One adapter at one norm: what it adds to the norm's output h.

    z = dropout(A h + a), w = softmax(logits / temperature), update = scale (w_0 (B z + b_0) + w_1 (D z + b_1)): A full,
    B and D block-diagonal in `groups`, no non-linearity. A is Xavier-uniform and all else of these zero, so the update
    is zero at birth. The logits come from the router:

    - table: two for each modality. At birth they are normal with the deviation 1/sqrt(3), as those of `embedding` are;
      were they equal, both experts would get the same gradient for ever.
    - embedding: a linear layer (torch's own start) on a routed state: the shared embedding of the sample's modality,
      and in a vision tower the normed class token of the sample's own image, or the mean over its tokens.
    - none: both experts alike. They then stay alike, too: one expert, said twice.

    The experts lie in one tensor (PEFT cannot rename nested lists), their biases and the table in vectors (which are
    spared weight decay).
    """

    def __init__(self, width: int, config: MixtureConfig, *, device: torch.device) -> None:
        super().__init__()
        r, groups = config.r, config.groups
        if width % groups or r % groups:
            raise ValueError(f"adapter.groups: {groups} divides not both the width {width} and the rank {r}")
        self.groups, self.scale, self.temperature = groups, config.scale, config.temperature
        self.router, self.class_token = config.router, config.class_token
        self.down_weight = nn.Parameter(torch.empty(r, width, device=device))
        self.down_bias = nn.Parameter(torch.zeros(r, device=device))
        self.up_weight = nn.Parameter(torch.zeros(EXPERTS, groups, width // groups, r // groups, device=device))
        self.up_bias = nn.Parameter(torch.zeros(EXPERTS * width, device=device))
        self.dropout = nn.Dropout(0.0)
        nn.init.xavier_uniform_(self.down_weight)
        if self.router == "table":
            self.table = nn.Parameter(torch.empty(MODALITIES * EXPERTS, device=device))
            nn.init.normal_(self.table, std=1 / math.sqrt(3))
        elif self.router == "embedding":
            linear = nn.Linear(width, EXPERTS, device=device)
            self.router_weight, self.router_bias = linear.weight, linear.bias

    def forward(self, h: Tensor, states_KD: Tensor | None, ids: Tensor) -> Tensor:
        """The update of h (..., D), in its dtype: `ids` (...) say which of the K routed states each token follows.

        states_KD is None where the router reads none; the states are then the modalities.
        """
        z_R = self.dropout(functional.linear(h.to(self.down_weight.dtype), self.down_weight, self.down_bias))
        shares_E = functional.embedding(ids, self.shares(states_KD)).to(z_R.dtype)
        mixed_ER = shares_E.unsqueeze(-1) * z_R.unsqueeze(-2)
        mixed_EGR = mixed_ER.unflatten(-1, (self.groups, -1))
        made = torch.einsum("...egr,egdr->...gd", mixed_EGR, self.up_weight).flatten(-2)
        made = made + shares_E @ self.up_bias.view(EXPERTS, -1).to(z_R.dtype)
        return (self.scale * made).to(h.dtype)

    def shares(self, states_KD: Tensor | None) -> Tensor:
        """(K, E): how the experts share the work in each routed state; rows sum to 1."""
        if self.router == "table":
            logits_KE = self.table.view(MODALITIES, EXPERTS)
        elif self.router == "embedding":
            assert states_KD is not None, "this router reads states"
            logits_KE = functional.linear(states_KD.to(self.router_weight.dtype), self.router_weight, self.router_bias)
        else:
            logits_KE = self.down_bias.new_zeros(MODALITIES, EXPERTS)
        return torch.softmax(logits_KE / self.temperature, dim=-1)


class MixtureLayer(nn.Module, BaseTunerLayer):  # type: ignore[misc]  # PEFT is untyped
    """A norm with the adapters at its output. `sees`: it stands in a vision tower."""

    adapter_layer_names = ("mixture_adapters",)
    active_adapters: list[str]  # PEFT's property

    def __init__(self, base_layer: nn.Module, *, told: Told, sees: bool) -> None:
        super().__init__()
        self.base_layer = base_layer
        self.told, self.sees = told, sees
        self.mixture_adapters = nn.ModuleDict()
        self.merged_adapters: list[str] = []
        self._ends: Tensor | None = None
        self._watch: RemovableHandle | None = None

    def add(self, name: str, config: MixtureConfig) -> None:
        """One more adapter, on the norm's device."""
        weight = self.base_layer.weight
        assert isinstance(weight, Tensor), "a norm has a weight"
        self.mixture_adapters[name] = Mixture(len(weight), config, device=weight.device)

    def watch(self, block: nn.Module) -> None:
        """Learn at each pass of a tower's block where images end, if all stand in one row. Kept, as what is told."""
        self._watch = block.register_forward_pre_hook(self._note, with_kwargs=True)

    def leave(self) -> None:
        if self._watch is not None:
            self._watch.remove()

    def _note(self, block: nn.Module, args: Any, kwargs: dict[str, Any]) -> None:
        self._ends = kwargs.get("cu_seqlens")

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        h: Tensor = self.base_layer(x, *args, **kwargs)
        made = h
        for name in [] if self.disable_adapters else self.active_adapters:
            if name in self.mixture_adapters:
                made = made + self._update(h, name)
        return made

    def merge(self, safe_merge: bool = False, adapter_names: list[str] | None = None) -> None:
        raise NotImplementedError(UNMERGEABLE)

    def _update(self, h: Tensor, name: str) -> Tensor:
        mixture = self.mixture_adapters[name]
        reads = mixture.router == "embedding"
        states_KD: Tensor | None = None
        if self.sees and reads:
            states_KD, ids = self._images(h, class_token=bool(mixture.class_token))
        elif self.sees:
            ids = torch.full((1,) * (h.ndim - 1), IMAGE, device=h.device)
        else:
            ids = self.told.modality(h)
            if reads:
                states_KD = self.told.embeddings[name](torch.arange(MODALITIES, device=h.device))
        update: Tensor = mixture(h, states_KD, ids)
        return update

    def _images(self, h: Tensor, *, class_token: bool) -> tuple[Tensor, Tensor]:
        """The images' states (K, D), and the image of each token: of (B, T, D), or of (T, D) with all in one row."""
        if h.ndim == 3:
            states_KD = h[:, 0] if class_token else h.mean(1)
            return states_KD, torch.arange(len(h), device=h.device).unsqueeze(1)
        if self._ends is None:
            raise ValueError(
                "adapter.router: embedding reads one state per image, and this tower neither has a batch axis nor says "
                "where its images end (cu_seqlens). Set adapter.router=table"
            )
        lengths_K = self._ends.to(h.device).long().diff()
        wide = h.to(torch.promote_types(h.dtype, torch.float32))  # a mean over thousands of tokens
        states_KD = torch.segment_reduce(wide, "mean", lengths=lengths_K)
        return states_KD, torch.repeat_interleave(torch.arange(len(lengths_K), device=h.device), lengths_K)


UNMERGEABLE = (
    "a mixture-of-modality adapter cannot be merged into the base: what it adds depends on whether a sample has an "
    "image, which no fixed weight does. Keep its folder beside the base"
)
