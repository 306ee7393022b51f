"""Find the LLM, its head and its blocks in a causal language model of any family, without its weights."""

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
def read_layout(folder: Path) -> Layout:
    """The layout of the causal LM in a folder. Raises ValueError where transformers has none of that type."""
    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    llm_type = config.model_type
    if llm_type not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        raise ValueError(f"model.weights: expected a causal language model, got {folder} of the type {llm_type!r}")
    with torch.device("meta"):
        net = AutoModelForCausalLM.from_config(config)
    depth = config.get_text_config().num_hidden_layers
    modules = dict(net.named_modules())
    head = next((name for name, module in modules.items() if module is net.get_output_embeddings()), "")
    stacks = (name for name, module in modules.items() if isinstance(module, nn.ModuleList) and len(module) == depth)
    layout = Layout(llm=net.base_model_prefix, head=head, blocks=next(stacks, ""))
    if layout.llm not in modules or not layout.head or not layout.blocks:
        raise ValueError(
            f"model.weights: expected an LLM with a head and a stack of {depth} blocks, got {layout} of the type "
            f"{llm_type!r}; give a checkpoint of another family"
        )
    return layout
