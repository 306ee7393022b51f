"""Load or initialise the net of a checkpoint folder, and quantize it."""

from __future__ import annotations

import copy
import logging
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig

log = logging.getLogger(__name__)


def available_attention(attention: str) -> str:
    """The attention implementation, or sdpa with a warning where FlashAttention-2 cannot run here."""
    if attention != "flash_attention_2" or (find_spec("flash_attn") is not None and torch.cuda.is_available()):
        return attention
    log.warning("model.attention=flash_attention_2 needs the package flash-attn and a CUDA GPU; using sdpa instead")
    return "sdpa"


def load_net(
    net_class: Any,
    folder: Path,
    *,
    is_untrained: bool,
    dtype: torch.dtype,
    attention: str,
    quantization: Any | None = None,
    full_precision_modules: Sequence[str] = (),
) -> Any:
    """The net of a transformers class in a folder, with its weights or initialised from torch's current seed.

    Quantization leaves the `full_precision_modules` as they are.
    """
    if is_untrained:
        initialise = getattr(net_class, "from_config", None) or net_class._from_config  # an Auto class has the first
        net = initialise(AutoConfig.from_pretrained(folder), attn_implementation=attention, dtype=dtype)
        if quantization is None:
            return net
        with TemporaryDirectory() as name:  # transformers quantizes while it loads
            net.should_save_on_this_rank = lambda is_main_process: True  # else rank 0 alone would save, and all load
            net.save_pretrained(name)
            return load_net(
                net_class,
                Path(name),
                is_untrained=False,
                dtype=dtype,
                attention=attention,
                quantization=quantization,
                full_precision_modules=full_precision_modules,
            )
    if quantization is not None:
        quantization = copy.deepcopy(quantization)
        quantization.llm_int8_skip_modules = list(full_precision_modules)
    net = net_class.from_pretrained(
        folder, dtype=dtype, attn_implementation=attention, quantization_config=quantization
    )
    _forbid_repacking(net)
    return net


def _forbid_repacking(net: nn.Module) -> None:
    """Forbid bitsandbytes to repack 4-bit weights for a CPU's bfloat16 instructions when the net is evaluated.

    Packed weights have no backward pass and are never unpacked for training (bitsandbytes 0.50), so a validation would
    end the training after it.
    """
    for module in net.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False  # type: ignore[assignment]  # a flag, not a weight
