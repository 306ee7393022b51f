"""How does a LLaVA begin that nobody has trained yet? A folder in the layout of Hugging Face's LLaVA checkpoints.

The paper is 0 and ink positive, as in _blank.py and for its reason.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenizers.processors import TemplateProcessing
from transformers import LlavaConfig, LlavaNextConfig, PreTrainedTokenizerFast

from circuitvlm.model.base.untrained import INK, character_tokenizer, clip_tower, llama, written_once

VERSION = 1
"""Raise this whenever the same shape would give other files: old folders are then left alone."""

SPECIAL = ("<s>", "</s>", "<pad>", "<image>")

CHAT_TEMPLATE = (
    "{% for message in messages %}{% if message['role'] != 'system' %}{{ message['role'] | upper }}: {% endif %}"
    "{% for kind in ('image', 'text') %}{% for part in message['content'] if part['type'] == kind %}"
    "{{ '<image>\n' if kind == 'image' else part['text'] + ' ' }}{% endfor %}{% endfor %}{% endfor %}"
    "{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)
"""The layout of LLaVA-1.5: a name and a colon before each turn, its images and its text, no token behind it."""


def blank(root: Path, shape: Mapping[str, Any]) -> Path:
    """The folder under `root` of an untrained model of this shape, written on first use.

    `shape`: hidden, layers, heads, kv_heads, intermediate (the LLM's); vision_hidden, vision_layers, vision_heads,
    image (side of the picture that the tower sees), patch; and grids, the pages (height, width) in pixels that a
    LLaVA-NeXT may lay a picture out on, or none of it for a LLaVA-1.5.
    """

    def write(made: Path) -> None:
        tokenizer = _words()
        tokenizer.save_pretrained(made)
        (made / "config.json").write_text(_config(shape, tokenizer).to_json_string())
        (made / "preprocessor_config.json").write_text(json.dumps(_images(shape), indent=2))

    return written_once(root, ["llava", VERSION, dict(shape)], write)


def _words() -> PreTrainedTokenizerFast:
    """Like Llama's: a text begins with <s>, if special tokens are asked for."""
    made = character_tokenizer(SPECIAL, pad="<pad>", bos="<s>", eos="</s>", chat_template=CHAT_TEMPLATE)
    begin = [("<s>", made.convert_tokens_to_ids("<s>"))]
    made.backend_tokenizer.post_processor = TemplateProcessing(single="<s> $A", pair="<s> $A $B", special_tokens=begin)
    return made


def _config(shape: Mapping[str, Any], tokenizer: PreTrainedTokenizerFast) -> LlavaConfig | LlavaNextConfig:
    llm = llama(shape, tokenizer, length=4096, pad_token_id=tokenizer.pad_token_id)
    tower = clip_tower(shape)
    both = {"text_config": llm, "vision_config": tower, "image_token_index": tokenizer.convert_tokens_to_ids("<image>")}
    if "grids" in shape:
        grids = [list(page) for page in shape["grids"]]
        return LlavaNextConfig(architectures=["LlavaNextForConditionalGeneration"], image_grid_pinpoints=grids, **both)
    places = (shape["image"] // shape["patch"]) ** 2
    return LlavaConfig(architectures=["LlavaForConditionalGeneration"], image_seq_length=places, **both)


def _images(shape: Mapping[str, Any]) -> dict[str, Any]:
    side = {"height": shape["image"], "width": shape["image"]}
    if "grids" in shape:
        grids = [list(page) for page in shape["grids"]]
        size = {"size": {"shortest_edge": shape["image"]}, "crop_size": side, "image_grid_pinpoints": grids}
        return {"image_processor_type": "LlavaNextImageProcessor", **size, **INK}
    size = {"size": side, "crop_size": side}
    return {"image_processor_type": "CLIPImageProcessor", "do_center_crop": False, **size, **INK}
