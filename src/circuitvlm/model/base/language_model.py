"""How is an LLM told what stands in place of words, and made to reply, whatever sees the images?

Shape suffixes: B rows, T tokens in a row, N labelled tokens, V vocabulary, D width.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import GenerationConfig

from circuitvlm.core.tensor import IMAGE, Batch
from circuitvlm.model.base.generation import among, until


def ending(llm: Any, *, end: int) -> GenerationConfig:
    """Greedy, without the checkpoint's own penalties; it ends at its own ends, and at that of trained replies."""
    own = llm.generation_config.eos_token_id
    ends = {end, *(own if isinstance(own, list) else [] if own is None else [own])}
    return GenerationConfig(eos_token_id=sorted(ends), pad_token_id=min(ends))


def embedded(llm: Any, features: Tensor, batch: Batch) -> Tensor:
    """(B, T, D): the tokens' embeddings, with the features in the images' places."""
    embeds_BTD: Tensor = llm.get_input_embeddings()(batch.tokens_BT)
    image_BT1 = (batch.modality_BT == IMAGE).unsqueeze(-1)
    return embeds_BTD.masked_scatter(image_BT1, features.to(embeds_BTD.dtype))


def said(llm: Any, body: Any, features: Tensor, batch: Batch) -> Tensor:
    """Logits (N, V) where `batch.asked`, of an LLM whose head stands right behind its `body`."""
    hidden_BTD = body(
        inputs_embeds=embedded(llm, features, batch),
        attention_mask=batch.mask,
        position_ids=batch.positions_RBT.squeeze(0),  # only multimodal RoPE has several axes
        use_cache=False,
    ).last_hidden_state
    logits: Tensor = llm.lm_head(hidden_BTD[batch.asked])
    return logits


def replies(llm: Any, features: Tensor, batch: Batch, *, max_new_tokens: int, synced: bool) -> list[list[int]]:
    """New tokens of each row of a left-padded batch of prompts, greedy, without the end token."""
    ends: list[int] = llm.generation_config.eos_token_id
    words = llm.get_input_embeddings().num_embeddings
    with torch.no_grad():
        rows = llm.generate(
            inputs_embeds=embedded(llm, features, batch),
            attention_mask=batch.mask.long(),
            max_new_tokens=max_new_tokens,
            do_sample=False,
            num_beams=1,
            use_cache=True,
            synced_gpus=synced,
            prefix_allowed_tokens_fn=among(batch.choices, prompt=0, end=ends[0], words=words),
        )
    return [until(row.tolist(), set(ends)) for row in rows]
