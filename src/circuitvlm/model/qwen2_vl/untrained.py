"""Write config, tokenizer and processor of an untrained Qwen2-VL."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerFast, Qwen2VLConfig

from circuitvlm.model.base.untrained import (
    CHAT_TOKENS,
    INVERTED_COLOURS,
    VERSION,
    character_tokenizer,
    llm_sizes,
    write_once,
)

SPECIAL_TOKENS = (*CHAT_TOKENS, "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")


def untrained_folder(root: Path, shape: Mapping[str, Any]) -> Path:
    """The folder under `root` of an untrained model of this shape, written on first use.

    `shape`: hidden, layers, heads, kv_heads, intermediate (the LLM's); vision_hidden, vision_layers, vision_heads,
    patch, min_pixels, max_pixels.
    """

    def write(folder: Path) -> None:
        tokenizer = character_tokenizer(SPECIAL_TOKENS)
        tokenizer.save_pretrained(folder)
        processor = {
            "image_processor_type": "Qwen2VLImageProcessor",
            "processor_class": "Qwen2VLProcessor",
            **INVERTED_COLOURS,
            "min_pixels": shape["min_pixels"],
            "max_pixels": shape["max_pixels"],
            "patch_size": shape["patch"],
            "merge_size": 2,
            "temporal_patch_size": 1,
        }
        (folder / "preprocessor_config.json").write_text(json.dumps(processor, indent=2))
        (folder / "config.json").write_text(_config(shape, tokenizer).to_json_string())

    return write_once(root, [VERSION, dict(shape)], write)


def _config(shape: Mapping[str, Any], tokenizer: PreTrainedTokenizerFast) -> Qwen2VLConfig:
    head_width = shape["hidden"] // shape["heads"]
    side_width = head_width // 6
    token_id = tokenizer.convert_tokens_to_ids
    return Qwen2VLConfig(
        architectures=["Qwen2VLForConditionalGeneration"],
        text_config={
            **llm_sizes(shape, tokenizer),
            "max_position_embeddings": 2048,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 10000.0,
                "mrope_section": [head_width // 2 - 2 * side_width, side_width, side_width],
            },
            "pad_token_id": tokenizer.pad_token_id,
            "bos_token_id": None,
            "eos_token_id": tokenizer.eos_token_id,
        },
        vision_config={
            "depth": shape["vision_layers"],
            "embed_dim": shape["vision_hidden"],
            "hidden_size": shape["hidden"],
            "num_heads": shape["vision_heads"],
            "mlp_ratio": 3,
            "patch_size": shape["patch"],
            "temporal_patch_size": 1,
            "in_channels": 3,
        },
        image_token_id=token_id("<|image_pad|>"),
        video_token_id=token_id("<|video_pad|>"),
        vision_start_token_id=token_id("<|vision_start|>"),
        vision_end_token_id=token_id("<|vision_end|>"),
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
