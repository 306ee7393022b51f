"""Which modules are the LLM, its head and its blocks? Told from its own net, without weights, whatever its family."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES


@dataclass(frozen=True, slots=True)
class Layout:
    """Names of modules: the LLM without its head, the head, and the stack of its blocks."""

    llm: str
    head: str
    blocks: str


@cache
def layout(folder: Path) -> Layout:
    """The layout of the causal LM in a folder. Raises ValueError where transformers has none of that kind."""
    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    kind = config.model_type
    if kind not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        raise ValueError(f"model.weights: {folder} is of the type {kind!r}, wanted a causal language model")
    with torch.device("meta"):
        net = AutoModelForCausalLM.from_config(config)
    depth = config.get_text_config().num_hidden_layers
    modules = dict(net.named_modules())
    head = next((name for name, part in modules.items() if part is net.get_output_embeddings()), "")
    blocks = (name for name, part in modules.items() if isinstance(part, nn.ModuleList) and len(part) == depth)
    found = Layout(llm=net.base_model_prefix, head=head, blocks=next(blocks, ""))
    if found.llm not in modules or not found.head or not found.blocks:
        raise ValueError(
            f"model.weights: an LLM of the type {kind!r} has no head or no stack of {depth} blocks to be found"
        )
    return found
