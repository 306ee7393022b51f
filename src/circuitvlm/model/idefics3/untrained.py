"""How does an Idefics3 begin that nobody has trained yet? A folder in the layout of Hugging Face's SmolVLM checkpoints.

The paper is 0 and ink positive, as in _blank.py and for its reason.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import Idefics3Config, Idefics3VisionConfig, PreTrainedTokenizerFast

from circuitvlm.model.base.untrained import INK, character_tokenizer, llama, tower_sizes, written_once

VERSION = 1
"""Raise this whenever the same shape would give other files: old folders are then left alone."""

SPECIAL = ("<|im_start|>", "<end_of_utterance>", "<pad>", "<image>", "<fake_token_around_image>", "<global-img>")

CHAT_TEMPLATE = (
    "<|im_start|>{% for message in messages %}{{ message['role'] | capitalize }}:"
    "{% for part in message['content'] %}{{ '<image>' if part['type'] == 'image' else part['text'] }}{% endfor %}"
    "<end_of_utterance>\n{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}"
)
"""The layout of SmolVLM, without its space before a text: that is part of the text's first word, but with a token for
each character it would be a token of its own, the same before all choices."""


def blank(root: Path, shape: Mapping[str, Any]) -> Path:
    """The folder under `root` of an untrained model of this shape, written on first use.

    `shape`: hidden, layers, heads, kv_heads, intermediate (the LLM's); vision_hidden, vision_layers, vision_heads,
    image (side of a tile in pixels), patch; scale (the connector makes one token of scale x scale patches); and
    longest_edge, to which a picture is brought before it is cut into tiles.
    """

    def write(made: Path) -> None:
        lines = range(1, -(-shape["longest_edge"] // shape["image"]) + 1)
        special = (*SPECIAL, *(f"<row_{r}_col_{c}>" for r in lines for c in lines))
        tokenizer = character_tokenizer(
            special, pad="<pad>", bos="<|im_start|>", eos="<end_of_utterance>", chat_template=CHAT_TEMPLATE
        )
        tokenizer.save_pretrained(made)
        (made / "config.json").write_text(_config(shape, tokenizer).to_json_string())
        (made / "preprocessor_config.json").write_text(json.dumps(_images(shape), indent=2))
        places = (shape["image"] // shape["patch"] // shape["scale"]) ** 2
        (made / "processor_config.json").write_text(
            json.dumps({"image_seq_len": places, "processor_class": "Idefics3Processor"}, indent=2)
        )

    return written_once(root, ["idefics3", VERSION, dict(shape)], write)


def _config(shape: Mapping[str, Any], tokenizer: PreTrainedTokenizerFast) -> Idefics3Config:
    llm = llama(shape, tokenizer, length=4096, pad_token_id=tokenizer.pad_token_id)
    return Idefics3Config(
        architectures=["Idefics3ForConditionalGeneration"],
        text_config=llm,
        vision_config=Idefics3VisionConfig(**tower_sizes(shape)),
        scale_factor=shape["scale"],
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
    )


def _images(shape: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "image_processor_type": "Idefics3ImageProcessor",
        "processor_class": "Idefics3Processor",
        "do_image_splitting": True,
        "size": {"longest_edge": shape["longest_edge"]},
        "max_image_size": {"longest_edge": shape["image"]},
        **INK,
    }
