"""How does a Qwen2-VL begin that nobody has trained yet? A folder with a configuration, a tokenizer and a processor.

The layout of the files is the one of Hugging Face's Qwen2-VL checkpoints, so the folder loads with plain transformers.
Its paper is 0 and its ink positive: `image_mean` 1 and `image_std` -1/3 (with white paper at +1 a small vision tower
collapses to one vector, whatever the image).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from string import printable
from tempfile import TemporaryDirectory
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
    Qwen2VLConfig,
)

VERSION = 1
"""Raise this whenever the same shape would give other files: old folders are then left alone."""

SPECIAL = (
    "<|endoftext|>",
    "<|im_end|>",
    "<|user|>",
    "<|assistant|>",
    "<|system|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
INK: dict[str, Any] = {"image_mean": [1.0, 1.0, 1.0], "image_std": [-1 / 3, -1 / 3, -1 / 3]}

UNKNOWN = "\N{REPLACEMENT CHARACTER}"
LETTERS = (*(c for c in printable if c >= " " or c == "\n"), "Ω", "µ", "°", "∠", UNKNOWN)

CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' }}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif part['type'] == 'text' %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}"
    "{{ '<|im_end|>' }}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def blank(root: Path, shape: Mapping[str, Any]) -> Path:
    """The folder under `root` of an untrained model of this shape, written on first use.

    `shape`: hidden, layers, heads, kv_heads, intermediate (the LLM's); vision_hidden, vision_layers, vision_heads,
    patch, min_pixels, max_pixels.
    """

    def write(made: Path) -> None:
        tokenizer = character_tokenizer()
        tokenizer.save_pretrained(made)
        (made / "preprocessor_config.json").write_text(json.dumps(_processor(shape), indent=2))
        (made / "config.json").write_text(_config(shape, tokenizer).to_json_string())

    return written_once(root, [VERSION, dict(shape)], write)


def written_once(root: Path, key: Sequence[Any], write: Callable[[Path], None]) -> Path:
    """The folder under `root` that belongs to this key (plain JSON), filled by `write` where it is not there yet."""
    text = json.dumps(key, sort_keys=True)
    folder = root / f"blank-{hashlib.blake2b(text.encode(), digest_size=6).hexdigest()}"
    if (folder / "config.json").is_file():
        return folder
    root.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=root) as name:
        made = Path(name, folder.name)
        made.mkdir()
        write(made)
        try:
            os.rename(made, folder)  # whole or not at all, whoever else is writing the same
        except OSError:
            if not (folder / "config.json").is_file():
                raise
    return folder


def character_tokenizer(
    special: Sequence[str] = SPECIAL,
    *,
    pad: str | None = "<|endoftext|>",
    bos: str | None = None,
    eos: str = "<|im_end|>",
    chat_template: str | None = CHAT_TEMPLATE,
) -> PreTrainedTokenizerFast:
    """One token per printable character, and the special tokens: those of an image dialogue with a Qwen2-VL, or other
    ones."""
    vocabulary = {token: index for index, token in enumerate((*special, *LETTERS))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), behavior="isolated")
    tokenizer.decoder = decoders.Fuse()
    named = {key: token for key, token in (("pad_token", pad), ("bos_token", bos)) if token is not None}
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        **named,
        eos_token=eos,
        unk_token=UNKNOWN,
        extra_special_tokens=[token for token in special if token not in (pad, bos, eos)],
        chat_template=chat_template,
        model_input_names=["input_ids", "attention_mask"],
        clean_up_tokenization_spaces=False,
    )


def llama(shape: Mapping[str, Any], tokenizer: PreTrainedTokenizerBase, *, length: int, **stated: Any) -> LlamaConfig:
    """An LLM of this shape for texts of at most `length` tokens in this tokenizer's words."""
    return LlamaConfig(
        **_sizes(shape, tokenizer),
        max_position_embeddings=length,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        **stated,
    )


def clip_tower(shape: Mapping[str, Any], **stated: Any) -> CLIPVisionConfig:
    """A vision tower of this shape."""
    return CLIPVisionConfig(**tower_sizes(shape), **stated)


def tower_sizes(shape: Mapping[str, Any]) -> dict[str, Any]:
    """A vision tower's, by transformers' names."""
    return {
        "hidden_size": shape["vision_hidden"],
        "intermediate_size": 4 * shape["vision_hidden"],
        "num_hidden_layers": shape["vision_layers"],
        "num_attention_heads": shape["vision_heads"],
        "image_size": shape["image"],
        "patch_size": shape["patch"],
    }


def _sizes(shape: Mapping[str, Any], tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
    """The LLM's, by transformers' names."""
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": shape["hidden"],
        "intermediate_size": shape["intermediate"],
        "num_hidden_layers": shape["layers"],
        "num_attention_heads": shape["heads"],
        "num_key_value_heads": shape["kv_heads"],
    }


def _processor(shape: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "image_processor_type": "Qwen2VLImageProcessor",
        "processor_class": "Qwen2VLProcessor",
        **INK,
        "min_pixels": shape["min_pixels"],
        "max_pixels": shape["max_pixels"],
        "patch_size": shape["patch"],
        "merge_size": 2,
        "temporal_patch_size": 1,
    }


def _config(shape: Mapping[str, Any], tokenizer: PreTrainedTokenizerFast) -> Qwen2VLConfig:
    head = shape["hidden"] // shape["heads"]
    side = head // 6
    ids = tokenizer.convert_tokens_to_ids
    return Qwen2VLConfig(
        architectures=["Qwen2VLForConditionalGeneration"],
        text_config={
            **_sizes(shape, tokenizer),
            "max_position_embeddings": 2048,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 10000.0,
                "mrope_section": [head // 2 - 2 * side, side, side],
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
        image_token_id=ids("<|image_pad|>"),
        video_token_id=ids("<|video_pad|>"),
        vision_start_token_id=ids("<|vision_start|>"),
        vision_end_token_id=ids("<|vision_end|>"),
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
