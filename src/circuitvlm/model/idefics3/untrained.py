"""Write config, tokenizer and processor of an untrained Idefics3."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import Idefics3Config, Idefics3VisionConfig, PreTrainedTokenizerFast

from circuitvlm.model.base.untrained import (
    INVERTED_COLOURS,
    VERSION,
    character_tokenizer,
    llama_config,
    tower_sizes,
    write_once,
)

SPECIAL_TOKENS = ("<|im_start|>", "<end_of_utterance>", "<pad>", "<image>", "<fake_token_around_image>", "<global-img>")

CHAT_TEMPLATE = (
    "<|im_start|>{% for message in messages %}{{ message['role'] | capitalize }}:"
    "{% for part in message['content'] %}{{ '<image>' if part['type'] == 'image' else part['text'] }}{% endfor %}"
    "<end_of_utterance>\n{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}"
)
"""The layout of SmolVLM, without its space before a text. There it is part of the text's first token. With a token for
each character it would be a token of its own, the same before all choices."""


def untrained_folder(root: Path, shape: Mapping[str, Any]) -> Path:
    """The folder under `root` of an untrained model of this shape, written on first use.

    `shape`: hidden, layers, heads, kv_heads, intermediate (the LLM's); vision_hidden, vision_layers, vision_heads,
    image (side of a tile in pixels), patch; scale (the connector makes one token of scale x scale patches); and
    longest_edge, the pixels to which a picture's longer side is resized before it is cut into tiles.
    """

    def write(folder: Path) -> None:
        lines = range(1, -(-shape["longest_edge"] // shape["image"]) + 1)
        special_tokens = (*SPECIAL_TOKENS, *(f"<row_{r}_col_{c}>" for r in lines for c in lines))
        tokenizer = character_tokenizer(
            special_tokens, pad="<pad>", bos="<|im_start|>", eos="<end_of_utterance>", chat_template=CHAT_TEMPLATE
        )
        tokenizer.save_pretrained(folder)
        (folder / "config.json").write_text(_config(shape, tokenizer).to_json_string())
        (folder / "preprocessor_config.json").write_text(json.dumps(_processor_config(shape), indent=2))
        tokens_per_tile = (shape["image"] // shape["patch"] // shape["scale"]) ** 2
        (folder / "processor_config.json").write_text(
            json.dumps({"image_seq_len": tokens_per_tile, "processor_class": "Idefics3Processor"}, indent=2)
        )

    return write_once(root, ["idefics3", VERSION, dict(shape)], write)


def _config(shape: Mapping[str, Any], tokenizer: PreTrainedTokenizerFast) -> Idefics3Config:
    return Idefics3Config(
        architectures=["Idefics3ForConditionalGeneration"],
        text_config=llama_config(shape, tokenizer, max_length=4096, pad_token_id=tokenizer.pad_token_id),
        vision_config=Idefics3VisionConfig(**tower_sizes(shape)),
        scale_factor=shape["scale"],
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
    )


def _processor_config(shape: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "image_processor_type": "Idefics3ImageProcessor",
        "processor_class": "Idefics3Processor",
        "do_image_splitting": True,
        "size": {"longest_edge": shape["longest_edge"]},
        "max_image_size": {"longest_edge": shape["image"]},
        **INVERTED_COLOURS,
    }
