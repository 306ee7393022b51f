"""Map the class tokens of a CLIP tower to prefix tokens of an LLM, as LaVIN does (arXiv 2305.15023).

Shape suffixes: I images, K class tokens of an image, E width of the tower, D width of the LLM.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

NEUTRAL_LOGIT_SETTINGS = {"final_logit_softcapping": None, "logit_scale": 1.0, "logits_scaling": 1.0}
"""Settings of an LLM that change the logits after its head, with the values that change nothing."""


class VisualPrefix(nn.Module):
    """LaVIN's visual adapter (arXiv 2305.15023): Linear E -> `width`, SiLU, Linear `width` -> D.

    Its weights are new, and in float32 whatever the type of the tower's and the LLM's, since they are trained.
    """

    def __init__(self, *, tower_width: int, width: int, llm_width: int) -> None:
        super().__init__()
        self.down = nn.Linear(tower_width, width, dtype=torch.float32)
        self.act = nn.SiLU()
        self.up = nn.Linear(width, llm_width, dtype=torch.float32)

    def forward(self, class_IKE: Tensor) -> Tensor:
        """Prefix tokens (I, K, D)."""
        prefix_IKD: Tensor = self.up(self.act(self.down(class_IKE.to(self.down.weight.dtype))))
        return prefix_IKD


def token_depths(blocks: int, *, tokens: int) -> list[int]:
    """The numbers of the blocks after which a class token is read: 4, 8, .., 24 for 6 tokens of 24 blocks.

    Raises ValueError for more tokens than blocks.
    """
    if not 0 < tokens <= blocks:
        raise ValueError(f"model.prefix_tokens: expected 1 to {blocks}, the blocks of the vision tower, got {tokens!r}")
    return [blocks * (k + 1) // tokens for k in range(tokens)]


def class_tokens(tower: Any, pixels: Tensor, *, tokens: int) -> Tensor:
    """The class token (I, K, E) after each of `tokens` depths of a CLIPVisionModel, as the block gives it.

    The norm after the tower's last block is not applied.
    """
    depths = set(token_depths(len(tower.encoder.layers), tokens=tokens))
    hidden_states = tower.pre_layrnorm(tower.embeddings(pixels))
    class_states = []
    for number, block in enumerate(tower.encoder.layers, start=1):
        hidden_states = block(hidden_states, None)
        if number in depths:
            class_states.append(hidden_states[:, 0])
    return torch.stack(class_states, dim=1)


def add_tower(llm: Any, tower: Any, *, tokens: int, width: int) -> None:
    """Add the tower to the LLM as its module `vision`, and a new prefix as its module `projector`.

    They are parts of the LLM, and not the other way round, so that an adapter of the LLM alone is PEFT's for that LLM.
    Raises ValueError for an LLM of another layout than Llama's, and for one that changes its logits after the head.
    """
    llm_type = llm.config.model_type
    names = {name for name, _ in llm.named_modules()}
    missing_names = [name for name in ("model.embed_tokens", "model.layers", "lm_head") if name not in names]
    if missing_names:
        raise ValueError(
            "model.weights: expected an LLM with the layout of Llama (llama, mistral, qwen2, qwen3, ..), got one of "
            f"the type {llm_type!r}, which has no {', '.join(missing_names)}"
        )
    settings = {
        name: value
        for name, neutral in NEUTRAL_LOGIT_SETTINGS.items()
        if (value := getattr(llm.config, name, neutral)) not in (None, neutral)
    }
    if settings:
        raise ValueError(
            f"model.weights: expected an LLM that does not change its logits after the head, got one of the type "
            f"{llm_type!r} with {settings!r} in its config.json"
        )
    token_depths(tower.config.num_hidden_layers, tokens=tokens)
    prefix = VisualPrefix(tower_width=tower.config.hidden_size, width=width, llm_width=llm.config.hidden_size)
    tower.post_layernorm = nn.Identity()  # nothing reads its output, so its weights could not be trained
    device = llm.model.embed_tokens.weight.device
    llm.vision, llm.projector = tower.to(device), prefix.to(device)
