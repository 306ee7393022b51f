"""Write the parts that untrained checkpoints have in common: folder, character tokenizer, configurations.

The layout of the files is that of Hugging Face's checkpoints, so a folder loads with plain transformers.
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
from transformers import LlamaConfig, PreTrainedTokenizerBase, PreTrainedTokenizerFast

VERSION = 1
"""Raise this whenever the same shape would give other files: old folders are then left alone."""

SMALL_LLM: Mapping[str, int] = {"hidden": 64, "layers": 2, "heads": 2, "kv_heads": 1, "intermediate": 128}
"""The shape of the LLM in the very small models for tests and smoke tests."""

INVERTED_COLOURS: dict[str, Any] = {"image_mean": [1.0, 1.0, 1.0], "image_std": [-1 / 3, -1 / 3, -1 / 3]}
"""Settings of an image processor that make white paper 0 and ink positive.

With white paper at +1 a small vision tower collapses to one vector, whatever the image.
"""

UNKNOWN = "\N{REPLACEMENT CHARACTER}"
CHARACTERS = (*(c for c in printable if c >= " " or c == "\n"), "Ω", "µ", "°", "∠", UNKNOWN)

CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' }}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif part['type'] == 'text' %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}"
    "{{ '<|im_end|>' }}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
CHAT_TOKENS = ("<|endoftext|>", "<|im_end|>", "<|user|>", "<|assistant|>", "<|system|>")
"""The control tokens of CHAT_TEMPLATE in a dialogue without images."""


def write_once(root: Path, key: Sequence[Any], write: Callable[[Path], None]) -> Path:
    """The folder under `root` that belongs to this key (plain JSON), filled by `write` unless it is there already."""
    text = json.dumps(key, sort_keys=True)
    folder = root / f"blank-{hashlib.blake2b(text.encode(), digest_size=6).hexdigest()}"
    if (folder / "config.json").is_file():
        return folder
    root.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=root) as name:
        new_folder = Path(name, folder.name)
        new_folder.mkdir()
        write(new_folder)
        os.sync()  # else a power loss leaves empty files under the final name
        try:
            os.rename(new_folder, folder)  # whole or not at all, also while another process writes the same
        except OSError:
            if not (folder / "config.json").is_file():
                raise
    return folder


def character_tokenizer(
    special_tokens: Sequence[str],
    *,
    pad: str | None = "<|endoftext|>",
    bos: str | None = None,
    eos: str = "<|im_end|>",
    chat_template: str | None = CHAT_TEMPLATE,
) -> PreTrainedTokenizerFast:
    """A tokenizer with one token for each printable character, and the special tokens."""
    vocabulary = {token: index for index, token in enumerate((*special_tokens, *CHARACTERS))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), behavior="isolated")
    tokenizer.decoder = decoders.Fuse()
    optional_tokens = {key: token for key, token in (("pad_token", pad), ("bos_token", bos)) if token is not None}
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        **optional_tokens,
        eos_token=eos,
        unk_token=UNKNOWN,
        extra_special_tokens=[token for token in special_tokens if token not in (pad, bos, eos)],
        chat_template=chat_template,
        model_input_names=["input_ids", "attention_mask"],
        clean_up_tokenization_spaces=False,
    )


def llama_config(
    shape: Mapping[str, Any], tokenizer: PreTrainedTokenizerBase, *, max_length: int, **settings: Any
) -> LlamaConfig:
    """The configuration of an LLM of this shape for texts of at most `max_length` tokens of this tokenizer."""
    return LlamaConfig(
        **llm_sizes(shape, tokenizer),
        max_position_embeddings=max_length,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        **settings,
    )


def tower_sizes(shape: Mapping[str, Any]) -> dict[str, Any]:
    """The sizes of a vision tower, by transformers' names."""
    return {
        "hidden_size": shape["vision_hidden"],
        "intermediate_size": 4 * shape["vision_hidden"],
        "num_hidden_layers": shape["vision_layers"],
        "num_attention_heads": shape["vision_heads"],
        "image_size": shape["image"],
        "patch_size": shape["patch"],
    }


def llm_sizes(shape: Mapping[str, Any], tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
    """The sizes of an LLM, by transformers' names."""
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": shape["hidden"],
        "intermediate_size": shape["intermediate"],
        "num_hidden_layers": shape["layers"],
        "num_attention_heads": shape["heads"],
        "num_key_value_heads": shape["kv_heads"],
    }
