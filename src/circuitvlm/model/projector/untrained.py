"""How does the LLM behind a projector begin that nobody has trained yet? As a Llama's folder, with pictures' settings.

It loads with plain transformers. Its tokenizer has a token a character, and a chat template.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from circuitvlm.model.base.untrained import character_tokenizer, llama, written_once

VERSION = 1
"""Raise this whenever the same shape would give other files: old folders are then left alone."""

SPECIAL = ("<|endoftext|>", "<|im_end|>", "<|user|>", "<|assistant|>", "<|system|>")


def blank(root: Path, shape: Mapping[str, Any], *, images: CLIPImageProcessorPil) -> Path:
    """The folder under `root` of an untrained LLM of this shape, written on first use.

    `shape`: hidden, layers, heads, kv_heads, intermediate, initializer_range (standard deviation of its first weights).
    """

    def write(made: Path) -> None:
        tokenizer = character_tokenizer(SPECIAL)
        tokenizer.save_pretrained(made)
        images.save_pretrained(made)
        config = llama(
            shape,
            tokenizer,
            length=2048,
            initializer_range=shape["initializer_range"],
            architectures=["LlamaForCausalLM"],
            pad_token_id=tokenizer.pad_token_id,
        )
        (made / "config.json").write_text(config.to_json_string())

    return written_once(root, ["projector", VERSION, dict(shape), images.to_dict()], write)
