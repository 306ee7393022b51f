"""Write config, tokenizer and image processor of an untrained LLM for a projector.

The tokenizer has one token for each character, and a chat template.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from circuitvlm.model.base.untrained import CHAT_TOKENS, VERSION, character_tokenizer, llama_config, write_once


def untrained_folder(root: Path, shape: Mapping[str, Any], *, image_processor: CLIPImageProcessorPil) -> Path:
    """The folder under `root` of an untrained LLM of this shape, written on first use.

    `shape`: hidden, layers, heads, kv_heads, intermediate, initializer_range (standard deviation of its first weights).
    """

    def write(folder: Path) -> None:
        tokenizer = character_tokenizer(CHAT_TOKENS)
        tokenizer.save_pretrained(folder)
        image_processor.save_pretrained(folder)
        config = llama_config(
            shape,
            tokenizer,
            max_length=2048,
            initializer_range=shape["initializer_range"],
            architectures=["LlamaForCausalLM"],
            pad_token_id=tokenizer.pad_token_id,
        )
        (folder / "config.json").write_text(config.to_json_string())

    return write_once(root, ["projector", VERSION, dict(shape), image_processor.to_dict()], write)
