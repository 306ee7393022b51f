"""How do an adapter's updates come into the weights themselves, and what does that change?

Updates that were trained beside quantized weights cannot be merged into those: rounded to their few levels, they would
be lost. So the base is given back its full numbers first, those that the quantized weights stand for, not the
original's: beside these the updates were trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor, nn
from transformers import PreTrainedModel

from circuitvlm.core.tensor import Batch
from circuitvlm.model.projector.network import Encoder
from circuitvlm.serving.respond import autocast, best_device
from circuitvlm.training.module import Module
from circuitvlm.training.network import Net


@dataclass(frozen=True, slots=True)
class Drift:
    """How two nets differ where they answer the same questions: in their logits, and in the token that is likeliest.

    `tokens` are the wanted replies' tokens, `changed` those of them at which the likeliest token is another.
    """

    questions: int
    tokens: int
    largest: float
    mean: float
    changed: int

    def __str__(self) -> str:
        return (
            f"logits differ by at most {self.largest:.3g}, {self.mean:.3g} on average; the likeliest token is another "
            f"at {self.changed} of {self.tokens} places ({self.questions} questions)"
        )


def plain(weights: Any) -> PreTrainedModel:
    """The Hugging Face model itself, with the adapter's updates merged into it.

    Raises NotImplementedError for an adapter that cannot be merged, and for a net that is no one Hugging Face model.
    """
    merged = weights.merge_and_unload() if isinstance(weights, PeftModel) else weights
    if not isinstance(merged, PreTrainedModel):
        raise NotImplementedError(
            f"the net is a {type(merged).__name__}, put together of several models; Hugging Face has no one format for "
            "it. Use the run's folder, or its adapter's beside the models."
        )
    encoders = [part for part in merged.modules() if isinstance(part, Encoder)]
    if any(weight.requires_grad for encoder in encoders for weight in encoder.parameters()):
        raise NotImplementedError(
            "the encoder that was trained in front of the LLM has no place in the LLM's Hugging Face format, and "
            "cannot be merged into it. Use the run's folder, or its adapter's, which holds the encoder, beside the LLM."
        )
    return merged


def dequantized(module: Module) -> nn.Module:
    """The run's net with its adapter beside a base whose quantized weights have become plain ones, of their values."""
    assert module.adapter_folder is not None, "a trained run knows its adapter"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(module.seed)  # as Module.configure_model: an untrained base is drawn from it
        base: Any = module.model.build(dtype=module.dtype_of_base, quantization=module.quantization)
        base = base.dequantize(dtype=module.dtype_of_base)
    weights = module.adapter.attach(base, module.model, module.dropout)
    module.adapter.load(weights, module.adapter_folder)
    return weights


def logits(net: Net, batches: Sequence[Batch], *, precision: str) -> list[Tensor]:
    """(N, V) of each batch, float32, on the CPU: what the net says where replies are wanted, as it is evaluated."""
    device = best_device()
    net.to(device).eval()
    with torch.no_grad(), autocast(precision, device):
        return [net(batch.to(device)).float().cpu() for batch in batches]


def drift(before: Sequence[Tensor], after: Sequence[Tensor]) -> Drift:
    """The difference between the logits of two nets on the same batches of one question each."""
    pairs = list(zip(before, after, strict=True))
    differences = [(a - b).abs() for a, b in pairs]
    return Drift(
        questions=len(pairs),
        tokens=sum(len(a) for a, _ in pairs),
        largest=max((float(d.max()) for d in differences if d.numel()), default=0.0),
        mean=sum(float(d.sum()) for d in differences) / max(1, sum(d.numel() for d in differences)),
        changed=sum(int((a.argmax(-1) != b.argmax(-1)).sum()) for a, b in pairs),
    )
