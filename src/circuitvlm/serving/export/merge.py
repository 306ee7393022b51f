"""Merge the updates of an adapter into the weights, and measure how much that changes the logits.

Updates that were trained on a quantized base cannot be merged into quantized weights: rounding would remove them. So
the base is dequantized first. Its weights are then those that the updates were trained on, not the original ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from peft import PeftModel
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor, nn
from transformers import PreTrainedModel

from circuitvlm.core.tensor import Batch
from circuitvlm.model.projector.network import Encoder
from circuitvlm.serving.predictor import autocast, best_device
from circuitvlm.training.module import Module
from circuitvlm.training.network import Net


@dataclass(frozen=True, slots=True)
class Drift:
    """The differences between two nets on the same questions: in their logits, and in the likeliest tokens.

    `tokens` are the tokens of the expected replies, and `changed_tokens` those at which the likeliest token differs.
    """

    questions: int
    tokens: int
    largest: float
    mean: float
    changed_tokens: int

    def __str__(self) -> str:
        return (
            f"logits differ by at most {self.largest:.3g}, and by {self.mean:.3g} on average; the likeliest token "
            f"differs at {self.changed_tokens} of {self.tokens} positions ({self.questions} questions)"
        )


def merge_adapter(weights: Any) -> PreTrainedModel:
    """The Hugging Face model with the updates of the adapter merged into it.

    Raises NotImplementedError for an adapter that cannot be merged, and for a net of several Hugging Face models.
    """
    if isinstance(weights, PeftModel):
        _untie_head(weights.get_base_model())
        model = weights.merge_and_unload()
    else:
        model = weights
    if not isinstance(model, PreTrainedModel):
        raise NotImplementedError(
            f"expected one Hugging Face model, got {type(model).__name__}, which consists of several. "
            "There is no Hugging Face format for it. Use the folder of the run, or of its adapter with the models."
        )
    encoders = [module for module in model.modules() if isinstance(module, Encoder)]
    if any(weight.requires_grad for encoder in encoders for weight in encoder.parameters()):
        raise NotImplementedError(
            f"expected an LLM alone, got {type(model).__name__} with a trained encoder. There is no Hugging "
            "Face format for both. Use the folder of the run, or of its adapter, which holds the encoder, with the LLM."
        )
    return model


def _untie_head(model: Any) -> None:
    """Give a head with an adapter weights of its own: merged into those of the embeddings, it would change both."""
    head, embeddings = model.get_output_embeddings(), model.get_input_embeddings()
    if isinstance(head, BaseTunerLayer) and head.weight is embeddings.weight:
        head.get_base_layer().weight = nn.Parameter(head.weight.detach().clone(), requires_grad=False)
        for config in (model.config, model.config.get_text_config()):
            config.tie_word_embeddings = False


def build_dequantized(module: Module) -> nn.Module:
    """Build the net of a run with its adapter on a base whose quantized weights are replaced by their values."""
    assert module.adapter_folder is not None, "a trained run has an adapter"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(module.seed)  # as in Module.configure_model: the seed decides an untrained base
        base: Any = module.model.build(dtype=module.base_dtype, quantization=module.quantization)
        base = base.dequantize(dtype=module.base_dtype)
    weights = module.adapter.attach(base, module.model, module.dropout)
    module.adapter.load(weights, module.adapter_folder)
    return weights


def compute_logits(net: Net, batches: Sequence[Batch], *, precision: str) -> list[Tensor]:
    """The logits (N, V) at the labelled tokens of each batch as in an evaluation: float32, on the CPU."""
    device = best_device()
    net.to(device).eval()
    with torch.no_grad(), autocast(precision, device):
        return [net(batch.to(device)).float().cpu() for batch in batches]


def measure_drift(logits: Sequence[Tensor], merged_logits: Sequence[Tensor]) -> Drift:
    """The difference between the logits of two nets on the same batches of one question each."""
    pairs = list(zip(logits, merged_logits, strict=True))
    differences = [(a - b).abs() for a, b in pairs]
    return Drift(
        questions=len(pairs),
        tokens=sum(len(a) for a, _ in pairs),
        largest=max((float(d.max()) for d in differences if d.numel()), default=0.0),
        mean=sum(float(d.sum()) for d in differences) / max(1, sum(d.numel() for d in differences)),
        changed_tokens=sum(int((a.argmax(-1) != b.argmax(-1)).sum()) for a, b in pairs),
    )
