"""Write an untrained LaVIN: a Llama's folder with the folder `vision` of a CLIP tower in it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer, CLIPVisionConfig

from circuitvlm.model.base.untrained import (
    INVERTED_COLOURS,
    VERSION,
    character_tokenizer,
    llama_config,
    tower_sizes,
    write_once,
)

VISION, TOKENIZER = "vision", "tokenizer"


def untrained_folder(root: Path, shape: Mapping[str, Any]) -> Path:
    """The folder under `root` of an untrained model of this shape, written on first use.

    `shape`: hidden, layers, heads, kv_heads, intermediate (the LLM's); vision_hidden, vision_layers, vision_heads,
    image (side of the tower's picture in pixels), patch; and, optionally, tokenizer, a folder with one. The default
    tokenizer has one token for each character. Like Llama's, it has <s> and </s>, but no token for padding and no chat
    template.
    """

    def write(folder: Path) -> None:
        if TOKENIZER in shape:
            tokenizer = AutoTokenizer.from_pretrained(Path(shape[TOKENIZER]), local_files_only=True)
        else:
            tokenizer = character_tokenizer(("<s>", "</s>"), pad=None, bos="<s>", eos="</s>", chat_template=None)
        tokenizer.save_pretrained(folder)
        llm = llama_config(shape, tokenizer, max_length=2048, architectures=["LlamaForCausalLM"])
        tower = CLIPVisionConfig(**tower_sizes(shape), architectures=["CLIPVisionModel"])
        (folder / "config.json").write_text(llm.to_json_string())
        (folder / VISION).mkdir()
        (folder / VISION / "config.json").write_text(tower.to_json_string())
        side = {"height": shape["image"], "width": shape["image"]}
        processor = {
            "image_processor_type": "CLIPImageProcessor",
            "size": side,
            "crop_size": side,
            "do_center_crop": False,
            **INVERTED_COLOURS,
        }
        (folder / VISION / "preprocessor_config.json").write_text(json.dumps(processor, indent=2))

    return write_once(root, ["lavin", VERSION, _key(shape)], write)


def _key(shape: Mapping[str, Any]) -> dict[str, Any]:
    """The shape, with the hash of the tokenizer's file in place of its folder."""
    if TOKENIZER not in shape:
        return dict(shape)
    file = Path(shape[TOKENIZER]) / "tokenizer.json"
    if not file.is_file():
        raise FileNotFoundError(
            f"model.shape.tokenizer: expected the folder of a tokenizer, got {shape[TOKENIZER]!r}, where {file} is "
            "missing; give a folder with a tokenizer.json"
        )
    return {**shape, TOKENIZER: hashlib.sha256(file.read_bytes()).hexdigest()}
