"""Run a language model, and let it reply, on embeddings in which image features replace the image tokens.

Shape suffixes: B rows, T tokens in a row, N labelled tokens, V vocabulary, D width.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from transformers import GenerationConfig, LogitsProcessorList

from circuitvlm.core.tensor import IMAGE, Batch
from circuitvlm.model.base.sampling import Sampling


def base_model(net: nn.Module) -> Any:
    """The transformers model inside a PEFT wrapper, or the net itself."""
    return net.get_base_model() if hasattr(net, "get_base_model") else net  # type: ignore[operator]  # PEFT's own method, which an nn.Module does not state


def embed(llm: Any, features: Tensor, batch: Batch) -> Tensor:
    """(B, T, D): the tokens' embeddings, with the features in place of the image tokens."""
    embeds_BTD: Tensor = llm.get_input_embeddings()(batch.tokens_BT)
    image_BT1 = (batch.modality_BT == IMAGE).unsqueeze(-1)
    return embeds_BTD.masked_scatter(image_BT1, features.to(embeds_BTD.dtype))


def target_logits(llm: Any, body: Any, features: Tensor, batch: Batch) -> Tensor:
    """Logits (N, V) where `batch.target_mask`, of an LLM whose `lm_head` reads the output of its `body`."""
    hidden_BTD = body(
        inputs_embeds=embed(llm, features, batch),
        attention_mask=batch.mask,
        position_ids=batch.positions_RBT.squeeze(0),  # only multimodal RoPE has several axes
        use_cache=False,
    ).last_hidden_state
    logits: Tensor = llm.lm_head(hidden_BTD[batch.target_mask])
    return logits


def greedy_config(llm: Any, *, end: int) -> GenerationConfig:
    """A greedy configuration, without what the checkpoint's own states (sampling, penalties, bounds in seconds).

    A reply ends at the checkpoint's own end tokens and at `end`, which ends the replies in training.
    """
    eos = llm.generation_config.eos_token_id
    end_tokens = {end, *(eos if isinstance(eos, list) else [] if eos is None else [eos])}
    return GenerationConfig(eos_token_id=sorted(end_tokens), pad_token_id=min(end_tokens))


def generate_replies(
    llm: Any,
    features: Tensor,
    batch: Batch,
    *,
    max_new_tokens: int,
    synced_gpus: bool,
    sampling: Mapping[str, float] | None,
    **inputs: Any,
) -> list[list[int]]:
    """New tokens of each row of a left-padded batch of prompts, without the end token.

    The likeliest tokens, unless `sampling` has settings. `inputs` are further arguments of the LLM's `generate`, which
    returns the prompt before the reply where they hold `input_ids`.
    """
    prompt_length = batch.tokens_BT.shape[1] if "input_ids" in inputs else 0
    end_tokens: list[int] = llm.generation_config.eos_token_id
    if sampling:
        processor = Sampling(sampling, ids=batch.ids, choices=batch.choices, prompt_length=prompt_length)
        inputs["logits_processor"] = LogitsProcessorList([processor])
    rows = llm.generate(
        inputs_embeds=embed(llm, features, batch),
        attention_mask=batch.mask.long(),
        max_new_tokens=max_new_tokens,
        do_sample=False,
        num_beams=1,
        use_cache=True,
        synced_gpus=synced_gpus,
        prefix_allowed_tokens_fn=choice_constraint(
            batch.choices,
            prompt_length=prompt_length,
            end=min(end_tokens),
            vocabulary_size=llm.get_input_embeddings().num_embeddings,
        ),
        **inputs,
    )
    return [_tokens_before_end(row[prompt_length:].tolist(), set(end_tokens)) for row in rows]


def choice_constraint(
    choices: Sequence[Sequence[Sequence[int]]], *, prompt_length: int, end: int, vocabulary_size: int
) -> Callable[[int, Tensor], list[int]] | None:
    """A function of a row and its tokens so far that gives the allowed next tokens; None where no row has choices.

    Allowed are the next tokens of the row's choices that agree with its reply so far. The likeliest of them is taken
    each time, which is the likeliest choice where the choices differ in their first token. A row without choices, in a
    batch where others have some, may continue with any token.
    """
    if not choices:
        return None
    vocabulary = list(range(vocabulary_size))

    def allowed_tokens(row: int, tokens_T: Tensor) -> list[int]:
        if not choices[row]:
            return vocabulary
        reply = tokens_T[prompt_length:].tolist()
        size = len(reply)
        next_tokens = {c[size] for c in choices[row] if len(c) > size and list(c[:size]) == reply}
        return sorted(next_tokens) or [end]

    return allowed_tokens


def _tokens_before_end(tokens: list[int], end_tokens: set[int]) -> list[int]:
    return tokens[: next((i for i, token in enumerate(tokens) if token in end_tokens), None)]
