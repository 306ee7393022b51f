"""How does a LaVIN begin that nobody has trained yet? A Llama's folder, with a CLIP tower's folder `vision` in it.

Both load with plain transformers. The paper is 0 and ink positive, as in _blank.py and for its reason.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import CLIPVisionConfig, LlamaConfig, PreTrainedTokenizerBase

from circuitvlm.model._blank import character_tokenizer, written_once
from circuitvlm.model._loading import tokenizer as tokenizer_of

VERSION = 1
"""Raise this whenever the same shape would give other files: old folders are then left alone."""

VISION, WORDS = "vision", "tokenizer"


def blank(root: Path, shape: Mapping[str, Any]) -> Path:
    """The folder under `root` of an untrained model of this shape, written on first use.

    `shape`: hidden, layers, heads, kv_heads, intermediate (the LLM's); vision_hidden, vision_layers, vision_heads,
    image (side of the picture that the tower sees), patch; and tokenizer, a folder with one. Without that it is one
    token for each character, and like Llama's: <s> and </s>, no token for padding, no chat template.
    """

    def write(made: Path) -> None:
        tokenizer = _tokenizer(shape)
        tokenizer.save_pretrained(made)
        (made / "config.json").write_text(_llm(shape, tokenizer).to_json_string())
        (made / VISION).mkdir()
        (made / VISION / "config.json").write_text(_tower(shape).to_json_string())
        (made / VISION / "preprocessor_config.json").write_text(json.dumps(_processor(shape), indent=2))

    return written_once(root, ["lavin", VERSION, _content(shape)], write)


def _content(shape: Mapping[str, Any]) -> dict[str, Any]:
    """The shape, with what is in the tokenizer's file in the place of where it lies."""
    if WORDS not in shape:
        return dict(shape)
    file = Path(shape[WORDS]) / "tokenizer.json"
    if not file.is_file():
        raise FileNotFoundError(f"model.shape.tokenizer: {file} is not there; wanted the folder of a tokenizer")
    return {**shape, WORDS: hashlib.sha256(file.read_bytes()).hexdigest()}


def _tokenizer(shape: Mapping[str, Any]) -> PreTrainedTokenizerBase:
    if WORDS in shape:
        return tokenizer_of(Path(shape[WORDS]), chat=False)
    return character_tokenizer(("<s>", "</s>"), pad=None, bos="<s>", eos="</s>", chat_template=None)


def _llm(shape: Mapping[str, Any], tokenizer: PreTrainedTokenizerBase) -> LlamaConfig:
    return LlamaConfig(
        architectures=["LlamaForCausalLM"],
        vocab_size=len(tokenizer),
        hidden_size=shape["hidden"],
        intermediate_size=shape["intermediate"],
        num_hidden_layers=shape["layers"],
        num_attention_heads=shape["heads"],
        num_key_value_heads=shape["kv_heads"],
        max_position_embeddings=2048,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )


def _tower(shape: Mapping[str, Any]) -> CLIPVisionConfig:
    return CLIPVisionConfig(
        architectures=["CLIPVisionModel"],
        hidden_size=shape["vision_hidden"],
        intermediate_size=4 * shape["vision_hidden"],
        num_hidden_layers=shape["vision_layers"],
        num_attention_heads=shape["vision_heads"],
        image_size=shape["image"],
        patch_size=shape["patch"],
    )


def _processor(shape: Mapping[str, Any]) -> dict[str, Any]:
    side = {"height": shape["image"], "width": shape["image"]}
    return {
        "image_processor_type": "CLIPImageProcessor",
        "size": side,
        "crop_size": side,
        "do_center_crop": False,
        "image_mean": [1.0, 1.0, 1.0],
        "image_std": [-1 / 3, -1 / 3, -1 / 3],
    }
