"""Find the folder of a checkpoint and read what its JSON files state."""

from __future__ import annotations

import logging
from collections.abc import Collection
from functools import cache
from pathlib import Path

from huggingface_hub import snapshot_download
from transformers import PreTrainedTokenizerBase

from circuitvlm.runtime.folders.saved_file import read_json

log = logging.getLogger(__name__)

CONVERSION_SCRIPT = "src/transformers/models/llama/convert_llama_weights_to_hf.py"
"""In the repository github.com/huggingface/transformers; the wheels of version 5 do not have it."""


def locate(
    weights: str,
    *,
    key: str = "model.weights",
    example: str = "Qwen/Qwen2-VL-2B-Instruct",
    model_types: Collection[str] = (),
) -> Path:
    """The folder of a checkpoint: a local folder, or the hub's, downloaded (resumably) where there is a network.

    `key` (the setting that names the checkpoint) and `example` (a name on the hub) are for the messages. Raises
    FileNotFoundError, in two lines: what is missing, and how to provide it. Meta's own weights are not opened; the
    error tells how to convert them. Raises ValueError where `model_types` does not hold the checkpoint's model type.
    """
    folder = Path(weights).expanduser()
    if not (folder / "config.json").is_file():
        folder = _download(weights, folder, key=key, example=example)
    if model_types and (name := model_type(folder)) not in model_types:
        raise ValueError(
            f"{key}: expected a checkpoint of the type {' or '.join(map(repr, model_types))}, as {example} is, got "
            f"{weights!r} of the type {name!r}; give a checkpoint of that type in the Hugging Face form"
        )
    return folder


def model_type(folder: Path) -> str:
    """The model type that a folder's config.json states."""
    return str(read_json(folder / "config.json", dict).get("model_type"))


def read_chat_template(folder: Path, tokenizer: PreTrainedTokenizerBase, *, example: str) -> str:
    """The processor's chat template, which includes images, where there is one; else the tokenizer's.

    Older checkpoints have it in chat_template.json or processor_config.json, which a tokenizer does not read; the
    tokenizer's own may then be the LLM's, for text alone. `example`: a name on the hub, for the message. Raises
    ValueError where there is no template.
    """
    paths = [folder / name for name in ("chat_template.json", "processor_config.json")]
    if not (folder / "chat_template.jinja").is_file():  # the tokenizer has read this file
        for path in filter(Path.is_file, paths):
            template = read_json(path, dict).get("chat_template")
            if isinstance(template, str):
                return template
    if not tokenizer.chat_template:
        raise ValueError(
            f"{folder}: expected a processor or a tokenizer that has a chat template (chat_template.jinja, "
            f"chat_template.json, processor_config.json), got {tokenizer.chat_template!r}; copy one from a folder "
            f"such as {example}"
        )
    return str(tokenizer.chat_template)


def _download(weights: str, folder: Path, *, key: str, example: str) -> Path:
    """The folder of a name on the hub. Raises FileNotFoundError where it is a local folder or was not reached."""
    if meta_folder := _find_meta_folder(folder):
        raise FileNotFoundError(
            f"{key}: expected the Hugging Face form, but {meta_folder} has Meta's own weights (consolidated.*.pth, "
            "params.json).\n"
            f"Convert them, in a checkout of github.com/huggingface/transformers: python {CONVERSION_SCRIPT} "
            f"--input_dir {meta_folder} --model_size SIZE --output_dir DIR (SIZE is 7B, 13B, ..; for Llama 3 add "
            f"--llama_version 3), and run with {key}=DIR."
        )
    if folder.exists() or weights.startswith((".", "/", "~", "weights/")) or weights.count("/") != 1:
        raise FileNotFoundError(
            f"{key}: {weights} is not a checkpoint folder (no config.json in {folder.resolve()}).\n"
            f"Give the folder of a Hugging Face checkpoint ({key}=/path/to/folder) or a hub name such as {example}."
        )
    try:
        return _download_once(weights)
    except Exception as error:  # every way of not reaching the hub has the same two-line answer
        log.debug("download of %s failed", weights, exc_info=error)
        raise FileNotFoundError(
            f"{key}: {weights} is neither a local folder nor in the Hugging Face cache, and the hub was not "
            f"reached ({type(error).__name__}).\n"
            f"Download it where there is a network (hf download {weights} --local-dir DIR) and run with "
            f"{key}=DIR, or try the recipe on a small untrained model with smoke_test=true."
        ) from None


@cache
def _download_once(weights: str) -> Path:
    """Ask the hub once in a process, so that a model, whose folder is needed often, stays at one commit."""
    return Path(snapshot_download(weights, allow_patterns=["*.json", "*.safetensors", "*.txt", "*.jinja", "*.model"]))


def _find_meta_folder(folder: Path) -> Path | None:
    """The folder, or one directly in it, with Meta's own files (LLaMA/7B, or one model alone)."""
    subfolders = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    candidates = (folder, *subfolders)
    return next((p for p in candidates if (p / "params.json").is_file() or any(p.glob("consolidated.*.pth"))), None)
