"""How does a LaVIN begin that nobody has trained yet? A Llama's folder, with a CLIP tower's folder `vision` in it.

Both load with plain transformers. The paper is 0 and ink positive, as in _blank.py and for its reason.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

from circuitvlm.model.base.loading import tokenizer as tokenizer_of
from circuitvlm.model.base.untrained import INK, character_tokenizer, clip_tower, llama, written_once

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
        llm = llama(shape, tokenizer, length=2048, architectures=["LlamaForCausalLM"])
        tower = clip_tower(shape, architectures=["CLIPVisionModel"])
        (made / "config.json").write_text(llm.to_json_string())
        (made / VISION).mkdir()
        (made / VISION / "config.json").write_text(tower.to_json_string())
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


def _processor(shape: Mapping[str, Any]) -> dict[str, Any]:
    side = {"height": shape["image"], "width": shape["image"]}
    return {
        "image_processor_type": "CLIPImageProcessor",
        "size": side,
        "crop_size": side,
        "do_center_crop": False,
        **INK,
    }
