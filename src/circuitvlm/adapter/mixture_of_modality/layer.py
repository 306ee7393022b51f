"""Add to the output of a norm two expert updates, which a router mixes by the modality of the sample.

The mixture-of-modality adapter of LaVIN (arXiv 2305.15023), routed by the modality of the sample, not of
the token.

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


class RoutingState:
    """What all wrapped norms of a net share: it is not a module, so that nothing of it is saved twice.

    pictured_BT holds until the next call of `route`, since gradient checkpointing computes the forward pass again.
    embeddings holds the shared modality embedding of each adapter whose router reads one.
    """

    def __init__(self, embeddings: nn.ModuleDict) -> None:
        self.pictured_BT: Tensor | None = None
        self.embeddings = embeddings

    def modality(self, h_BTD: Tensor) -> Tensor:
        """The modality of the sample of each token, (B, T) or broadcastable to it. Without a mask all is text.

        Tokens beyond the mask, and those of a generation step, have the modality of the last token of their row.
        """
        rows, tokens = h_BTD.shape[:2]
        if self.pictured_BT is None:
            return torch.zeros(1, 1, dtype=torch.long, device=h_BTD.device)
        modality_BT = self.pictured_BT.to(h_BTD.device).long()
        if len(modality_BT) != rows:
            raise ValueError(
                f"adapter: expected the {len(modality_BT)} rows of the last route(), got {rows}; call route() first"
            )
        if tokens < modality_BT.shape[1]:
            return modality_BT[:, -1:]
        padding_BT = modality_BT[:, -1:].expand(-1, tokens - modality_BT.shape[1])
        return torch.cat([modality_BT, padding_BT], dim=1)


class Mixture(nn.Module):
    """One adapter at one norm: the update of the norm's output h.

    z = dropout(A h + a), w = softmax(logits / temperature), update = scale (w_0 (B z + b_0) + w_1 (D z + b_1)): A full,
    B and D block-diagonal in `groups`, no non-linearity. A is Xavier-uniform and all else of these zero, so the update
    is zero at the start. The logits come from the router:

    - table: two for each modality, initialised from a normal distribution with deviation 1/sqrt(3), as in `embedding`.
      With equal values both experts would always get the same gradient.
    - embedding: a linear layer (torch's initialisation) on a routed state. That is the shared embedding of the sample's
      modality, and in a vision tower the normed class token of the image, or the mean over its tokens.
    - none: equal weights. Both experts then stay equal.

    The experts are one tensor, since PEFT cannot rename nested lists. Their biases and the table are vectors, which
    have no weight decay.
    """

    def __init__(self, width: int, config: MixtureConfig, *, device: torch.device) -> None:
        super().__init__()
        r, groups = config.r, config.groups
        if width % groups or r % groups:
            raise ValueError(
                f"adapter.groups: expected a divisor of the width {width} and of adapter.rank={r}, got {groups}"
            )
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
        """Return the update of h (..., D), in its dtype; `ids` (...) hold the routed state of each token, below K.

        states_KD is None where the router reads no states: the states are then the modalities.
        """
        z_R = self.dropout(functional.linear(h.to(self.down_weight.dtype), self.down_weight, self.down_bias))
        shares_E = functional.embedding(ids, self.shares(states_KD)).to(z_R.dtype)
        mixed_ER = shares_E.unsqueeze(-1) * z_R.unsqueeze(-2)
        mixed_EGR = mixed_ER.unflatten(-1, (self.groups, -1))
        update = torch.einsum("...egr,egdr->...gd", mixed_EGR, self.up_weight).flatten(-2)
        update = update + shares_E @ self.up_bias.view(EXPERTS, -1).to(z_R.dtype)
        return (self.scale * update).to(h.dtype)

    def shares(self, states_KD: Tensor | None) -> Tensor:
        """(K, E): the weights of the experts in each routed state; rows sum to 1."""
        if self.router == "table":
            logits_KE = self.table.view(MODALITIES, EXPERTS)
        elif self.router == "embedding":
            assert states_KD is not None, "this router reads states"
            logits_KE = functional.linear(states_KD.to(self.router_weight.dtype), self.router_weight, self.router_bias)
        else:
            logits_KE = self.down_bias.new_zeros(MODALITIES, EXPERTS)
        return torch.softmax(logits_KE / self.temperature, dim=-1)


class MixtureLayer(nn.Module, BaseTunerLayer):  # type: ignore[misc]  # PEFT is untyped
    """A norm with adapters at its output."""

    adapter_layer_names = ("mixture_adapters",)
    active_adapters: list[str]  # PEFT's property

    def __init__(self, base_layer: nn.Module, *, routing_state: RoutingState, in_vision_tower: bool) -> None:
        super().__init__()
        self.base_layer = base_layer
        self.routing_state, self.in_vision_tower = routing_state, in_vision_tower
        self.mixture_adapters = nn.ModuleDict()
        self.merged_adapters: list[str] = []
        self._ends: Tensor | None = None
        self._hook: RemovableHandle | None = None

    def add(self, name: str, config: MixtureConfig) -> None:
        """Add an adapter, on the device of the norm."""
        weight = self.base_layer.weight
        assert isinstance(weight, Tensor), "a norm has a weight"
        self.mixture_adapters[name] = Mixture(len(weight), config, device=weight.device)

    def track_image_ends(self, block: nn.Module) -> None:
        """At each pass of a block of the tower, store where images end (cu_seqlens), if all are in one row."""
        self._hook = block.register_forward_pre_hook(self._store_image_ends, with_kwargs=True)

    def remove_hook(self) -> None:
        if self._hook is not None:
            self._hook.remove()

    def _store_image_ends(self, block: nn.Module, args: Any, kwargs: dict[str, Any]) -> None:
        self._ends = kwargs.get("cu_seqlens")

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        h: Tensor = self.base_layer(x, *args, **kwargs)
        output = h
        for name in [] if self.disable_adapters else self.active_adapters:
            if name in self.mixture_adapters:
                output = output + self._update(h, name)
        return output

    def merge(self, safe_merge: bool = False, adapter_names: list[str] | None = None) -> None:
        raise NotImplementedError(UNMERGEABLE)

    def _update(self, h: Tensor, name: str) -> Tensor:
        mixture = self.mixture_adapters[name]
        reads_states = mixture.router == "embedding"
        states_KD: Tensor | None = None
        if self.in_vision_tower and reads_states:
            states_KD, ids = self._images(h, class_token=bool(mixture.class_token))
        elif self.in_vision_tower:
            ids = torch.full((1,) * (h.ndim - 1), IMAGE, device=h.device)
        else:
            ids = self.routing_state.modality(h)
            if reads_states:
                states_KD = self.routing_state.embeddings[name](torch.arange(MODALITIES, device=h.device))
        update: Tensor = mixture(h, states_KD, ids)
        return update

    def _images(self, h: Tensor, *, class_token: bool) -> tuple[Tensor, Tensor]:
        """The states (K, D) of the images, and the image of each token, for h of (B, T, D) or of (T, D)."""
        if h.ndim == 3:
            states_KD = h[:, 0] if class_token else h.mean(1)
            return states_KD, torch.arange(len(h), device=h.device).unsqueeze(1)
        if self._ends is None:
            raise ValueError(
                f"adapter.router: embedding needs a batch axis or cu_seqlens, got shape "
                f"{tuple(h.shape)} without them; set adapter.router=table"
            )
        lengths_K = self._ends.to(h.device).long().diff()
        wide = h.to(torch.promote_types(h.dtype, torch.float32))  # a mean over thousands of tokens
        states_KD = torch.segment_reduce(wide, "mean", lengths=lengths_K)
        return states_KD, torch.repeat_interleave(torch.arange(len(lengths_K), device=h.device), lengths_K)


UNMERGEABLE = (
    "a mixture-of-modality adapter cannot be merged into the base: its update depends on whether the sample has an "
    "image. Use the adapter folder together with the base"
)
