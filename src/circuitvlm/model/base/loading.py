"""Where do a checkpoint's files come from, and which of this machine's abilities can it use?"""

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Mapping, Sequence
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from huggingface_hub import snapshot_download
from torch import nn
from transformers import AutoConfig, AutoTokenizer, PreTrainedTokenizerBase
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

log = logging.getLogger(__name__)


CONVERSION = "src/transformers/models/llama/convert_llama_weights_to_hf.py"
"""In the repository github.com/huggingface/transformers; its wheels of version 5 leave it out."""


def one_given(weights: str | None, *, shape: Mapping[str, Any] | None) -> None:
    """Raise ValueError unless one of the two is given: a model by its checkpoint or, untrained, by its shape."""
    if (weights is None) == (shape is None):
        raise ValueError(
            f"model: give either weights or shape, not both or none (weights={weights!r}, shape={shape!r})"
        )


def locate(weights: str, *, key: str = "model.weights", like: str = "Qwen/Qwen2-VL-2B-Instruct") -> Path:
    """The folder of a checkpoint: the folder named, or the hub's, downloaded (resumably) where there is a network.

    `key`: the setting that names it, and `like` such a name, for the messages. Raises FileNotFoundError in two lines:
    what is missing, and how to provide it. A folder of Meta's own weights is told the conversion; they are not opened.
    """
    folder = Path(weights).expanduser()
    if (folder / "config.json").is_file():
        return folder
    if metas := _metas(folder):
        raise FileNotFoundError(
            f"{key}: {metas} holds Meta's own weights (consolidated.*.pth, params.json), not the Hugging Face form.\n"
            f"Convert them, in a checkout of github.com/huggingface/transformers: python {CONVERSION} "
            f"--input_dir {metas} --model_size SIZE --output_dir DIR (SIZE is 7B, 13B, ..; for Llama 3 add "
            f"--llama_version 3), and run with {key}=DIR."
        )
    if folder.exists() or weights.startswith((".", "/", "~", "weights/")) or weights.count("/") != 1:
        raise FileNotFoundError(
            f"{key}: {weights} is not a checkpoint folder (no config.json in {folder.resolve()}).\n"
            f"Give the folder of a Hugging Face checkpoint ({key}=/path/to/folder) or a hub name such as {like}."
        )
    try:
        return _downloaded(weights)
    except Exception as error:  # every way of not reaching the hub has the same two-line answer
        log.debug("download of %s failed", weights, exc_info=error)
        raise FileNotFoundError(
            f"{key}: {weights} is neither a local folder nor in the Hugging Face cache, and the hub was not "
            f"reached ({type(error).__name__}).\n"
            f"Download it where there is a network (hf download {weights} --local-dir DIR) and run with "
            f"{key}=DIR, or try the recipe on its small stand-in with standin=true."
        ) from None


@cache
def _downloaded(weights: str) -> Path:
    """The hub is asked once in a process: a model is asked for its folder often, and has to stay at one commit."""
    return Path(snapshot_download(weights, allow_patterns=["*.json", "*.safetensors", "*.txt", "*.jinja", "*.model"]))


def _metas(folder: Path) -> Path | None:
    """The folder itself or one right below it, where Meta's own files lie there (LLaMA/7B, or one model alone)."""
    below = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    there = (p for p in (folder, *below) if (p / "params.json").is_file() or any(p.glob("consolidated.*.pth")))
    return next(there, None)


def tokenizer(folder: Path, *, chat: bool = True) -> PreTrainedTokenizerBase:
    """The checkpoint's tokenizer; with `chat` it must have a chat template."""
    made: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    if chat and made.chat_template is None:
        raise ValueError(f"{folder}: the tokenizer has no chat template; an instruction-tuned checkpoint is needed")
    return made


def model_type(folder: Path) -> str:
    """Of which family a folder's model is, by its config.json."""
    return str(json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type"))


def chat_template(folder: Path, words: PreTrainedTokenizerBase, *, like: str) -> str:
    """The processor's chat template, which knows images, where its file or the tokenizer's own is.

    Older checkpoints hold it in chat_template.json or processor_config.json, where a tokenizer does not look; the
    tokenizer's may then be the LLM's, for text alone. `like`: a folder that has one. Raises ValueError where there is
    none.
    """
    if (folder / "chat_template.jinja").is_file():  # the tokenizer has read it
        return str(words.chat_template)
    for name in ("chat_template.json", "processor_config.json"):
        path = folder / name
        stated = json.loads(path.read_text(encoding="utf-8")).get("chat_template") if path.is_file() else None
        if isinstance(stated, str):
            return stated
    if not words.chat_template:
        raise ValueError(
            f"{folder}: neither the processor nor the tokenizer has a chat template (chat_template.jinja, "
            f"chat_template.json, processor_config.json); the hub's folders such as {like} have one"
        )
    return str(words.chat_template)


def image_processor(folder: Path, *, min_pixels: int | None, max_pixels: int | None) -> Qwen2VLImageProcessorPil:
    """The checkpoint's image processor in its PIL form, which needs no torchvision."""
    stated: dict[str, Any] = json.loads((folder / "preprocessor_config.json").read_text())
    bounds = {"min_pixels": min_pixels, "max_pixels": max_pixels}
    stated.update({name: value for name, value in bounds.items() if value is not None})
    for name in ("image_processor_type", "processor_class"):
        stated.pop(name, None)
    return Qwen2VLImageProcessorPil(**stated)


def attention_available(wanted: str) -> str:
    """The attention implementation asked for, or sdpa with a warning where FlashAttention-2 cannot run here."""
    if wanted != "flash_attention_2" or (find_spec("flash_attn") is not None and torch.cuda.is_available()):
        return wanted
    log.warning("model.attention=flash_attention_2 needs the package flash-attn and a CUDA GPU; using sdpa instead")
    return "sdpa"


def keep_unpacked(net: nn.Module) -> None:
    """Forbid bitsandbytes to repack 4-bit weights for a CPU's bfloat16 instructions when the net is evaluated.

    Packed weights have no backward pass and are never unpacked for training (bitsandbytes 0.50), so a validation would
    end the training after it.
    """
    for module in net.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False  # type: ignore[assignment]  # a flag, not a weight


def begun(
    kind: Any,
    folder: Path,
    *,
    untrained: bool,
    dtype: torch.dtype,
    attention: str,
    quantization: Any | None,
    plain: Sequence[str],
) -> Any:
    """The net of the transformers class `kind` in a folder: with its weights, or `untrained`, initialised from torch's
    current seed. Quantization leaves the `plain` modules as they are.
    """
    load = partial(_loaded, kind, dtype=dtype, attention=attention, quantization=quantization, plain=plain)
    if not untrained:
        return load(folder)
    new = getattr(kind, "from_config", None) or kind._from_config  # of an Auto class, or of a model's own
    net = new(AutoConfig.from_pretrained(folder), attn_implementation=attention, dtype=dtype)
    if quantization is None:
        return net
    with TemporaryDirectory() as saved:  # transformers quantizes while it loads
        net.should_save_on_this_rank = lambda is_main_process: True  # else rank 0 alone would save, and all load
        net.save_pretrained(saved)
        return load(Path(saved))


def frozen(net: Any, *, checkpointing: bool) -> nn.Module:
    """The net, with nothing in it trained; with `checkpointing`, its blocks recompute what their gradients need."""
    whole: nn.Module = net.requires_grad_(False)
    if checkpointing:
        net.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    return whole


def _loaded(
    kind: Any, folder: Path, *, dtype: torch.dtype, attention: str, quantization: Any | None, plain: Sequence[str]
) -> Any:
    if quantization is not None:
        quantization = copy.deepcopy(quantization)
        quantization.llm_int8_skip_modules = list(plain)
    net = kind.from_pretrained(folder, dtype=dtype, attn_implementation=attention, quantization_config=quantization)
    keep_unpacked(net)
    return net
