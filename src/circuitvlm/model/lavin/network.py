"""What stands between a CLIP tower and an LLM in LaVIN? The class token at six depths, through a narrow waist.

Shape suffixes: I images, K class tokens of an image, E width of the tower, D width of the LLM.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

CAPPED = {"final_logit_softcapping": None, "logit_scale": 1.0, "logits_scaling": 1.0}
"""Settings of an LLM that change the logits behind its head, with the values that change nothing."""


class VisualPrefix(nn.Module):
    """LaVIN's visual adapter (arXiv 2305.15023): Linear E -> `width`, SiLU, Linear `width` -> D.

    New weights, in float32 whatever the towers are in, as an adapter's are: they are there to be trained.
    """

    def __init__(self, *, seen: int, width: int, spoken: int) -> None:
        super().__init__()
        self.down = nn.Linear(seen, width, dtype=torch.float32)
        self.act = nn.SiLU()
        self.up = nn.Linear(width, spoken, dtype=torch.float32)

    def forward(self, class_IKE: Tensor) -> Tensor:
        """Prefix tokens (I, K, D)."""
        made: Tensor = self.up(self.act(self.down(class_IKE.to(self.down.weight.dtype))))
        return made


def depths(blocks: int, *, tokens: int) -> list[int]:
    """After how many blocks of a tower a class token is taken: 4, 8, .., 24 for 6 of 24. Raises ValueError for more
    tokens than blocks."""
    if not 0 < tokens <= blocks:
        raise ValueError(f"model.prefix_tokens: came {tokens}, wanted 1 to {blocks}, the blocks of the vision tower")
    return [blocks * (k + 1) // tokens for k in range(tokens)]


def class_tokens(tower: Any, pixels: Tensor, *, tokens: int) -> Tensor:
    """The class token (I, K, E) after each of `tokens` depths of a CLIPVisionModel, as it leaves the block: the norm
    behind the tower's last block is no part of it."""
    wanted = set(depths(len(tower.encoder.layers), tokens=tokens))
    hidden = tower.pre_layrnorm(tower.embeddings(pixels))
    taken = []
    for number, block in enumerate(tower.encoder.layers, start=1):
        hidden = block(hidden, None)
        if number in wanted:
            taken.append(hidden[:, 0])
    return torch.stack(taken, dim=1)


def joined(llm: Any, tower: Any, *, tokens: int, width: int) -> nn.Module:
    """The LLM with the tower as its `vision` and a new prefix as its `projector`.

    They are parts of the LLM, and not the other way round, so that an adapter of the LLM alone is PEFT's for that LLM.
    Raises ValueError for an LLM of another layout than Llama's, and for logits that are changed behind the head.
    """
    kind = llm.config.model_type
    there = {name for name, _ in llm.named_modules()}
    lost = [name for name in ("model.embed_tokens", "model.layers", "lm_head") if name not in there]
    if lost:
        raise ValueError(
            f"model.weights: an LLM of the type {kind!r} has no {', '.join(lost)}; wanted one laid out as Llama's "
            "(llama, mistral, qwen2, qwen3, ..)"
        )
    odd = [name for name, usual in CAPPED.items() if getattr(llm.config, name, usual) not in (None, usual)]
    if odd:
        raise ValueError(
            f"model.weights: an LLM of the type {kind!r} changes its logits ({', '.join(odd)}), as yet unread"
        )
    depths(tower.config.num_hidden_layers, tokens=tokens)
    prefix = VisualPrefix(seen=tower.config.hidden_size, width=width, spoken=llm.config.hidden_size)
    tower.post_layernorm = nn.Identity()  # nothing reads what is behind it, so its weights could not be trained
    place = llm.model.embed_tokens.weight.device
    llm.vision, llm.projector = tower.to(place), prefix.to(place)
    whole: nn.Module = llm
    return whole
