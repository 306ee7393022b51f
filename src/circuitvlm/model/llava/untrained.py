"""Write config, tokenizer and processor of an untrained LLaVA-1.5 or LLaVA-NeXT."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenizers.processors import TemplateProcessing
from transformers import CLIPVisionConfig, LlavaConfig, LlavaNextConfig, PreTrainedTokenizerFast

from circuitvlm.model.base.untrained import (
    INVERTED_COLOURS,
    VERSION,
    character_tokenizer,
    llama_config,
    tower_sizes,
    write_once,
)

SPECIAL_TOKENS = ("<s>", "</s>", "<pad>", "<image>")

CHAT_TEMPLATE = (
    "{% for message in messages %}{% if message['role'] != 'system' %}{{ message['role'] | upper }}: {% endif %}"
    "{% for kind in ('image', 'text') %}{% for part in message['content'] if part['type'] == kind %}"
    "{{ '<image>\n' if kind == 'image' else part['text'] + ' ' }}{% endfor %}{% endfor %}{% endfor %}"
    "{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)
"""The layout of LLaVA-1.5: a name and a colon before each turn, its images and its text, no token after it."""


def untrained_folder(root: Path, shape: Mapping[str, Any]) -> Path:
    """The folder under `root` of an untrained model of this shape, written on first use.

    `shape`: hidden, layers, heads, kv_heads, intermediate (the LLM's); vision_hidden, vision_layers, vision_heads,
    image (side of the tower's picture in pixels), patch; and, for a LLaVA-NeXT only, grids: the sizes (height, width)
    in pixels to which it may resize a picture.
    """

    def write(folder: Path) -> None:
        tokenizer = _tokenizer()
        tokenizer.save_pretrained(folder)
        (folder / "config.json").write_text(_config(shape, tokenizer).to_json_string())
        (folder / "preprocessor_config.json").write_text(json.dumps(_processor_config(shape), indent=2))

    return write_once(root, ["llava", VERSION, dict(shape)], write)


def _tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer like Llama's: a text begins with <s>, if special tokens are added."""
    tokenizer = character_tokenizer(SPECIAL_TOKENS, pad="<pad>", bos="<s>", eos="</s>", chat_template=CHAT_TEMPLATE)
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", tokenizer.convert_tokens_to_ids("<s>"))]
    )
    return tokenizer


def _config(shape: Mapping[str, Any], tokenizer: PreTrainedTokenizerFast) -> LlavaConfig | LlavaNextConfig:
    parts = {
        "text_config": llama_config(shape, tokenizer, max_length=4096, pad_token_id=tokenizer.pad_token_id),
        "vision_config": CLIPVisionConfig(**tower_sizes(shape)),
        "image_token_index": tokenizer.convert_tokens_to_ids("<image>"),
    }
    if "grids" in shape:
        grids = [list(size) for size in shape["grids"]]
        return LlavaNextConfig(architectures=["LlavaNextForConditionalGeneration"], image_grid_pinpoints=grids, **parts)
    token_count = (shape["image"] // shape["patch"]) ** 2
    return LlavaConfig(architectures=["LlavaForConditionalGeneration"], image_seq_length=token_count, **parts)


def _processor_config(shape: Mapping[str, Any]) -> dict[str, Any]:
    side = {"height": shape["image"], "width": shape["image"]}
    if "grids" in shape:
        settings: dict[str, Any] = {
            "image_processor_type": "LlavaNextImageProcessor",
            "size": {"shortest_edge": shape["image"]},
            "crop_size": side,
            "image_grid_pinpoints": [list(size) for size in shape["grids"]],
        }
    else:
        settings = {
            "image_processor_type": "CLIPImageProcessor",
            "do_center_crop": False,
            "size": side,
            "crop_size": side,
        }
    return {**settings, **INVERTED_COLOURS}
