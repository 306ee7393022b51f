"""Check a run's weights and gradients: what is held, what is trained, and whether it learns from every sample."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from circuitvlm.core.contract import Model
from circuitvlm.core.tensor import IMAGE, Batch
from circuitvlm.training.doctor.text import IMAGES, Finding, Level
from circuitvlm.training.flops import ORIGINAL, weight_count
from circuitvlm.training.parameter_groups import component_of

WEIGHTS, GRADIENTS = "weights", "gradients"
VISUAL_COMPONENTS = ("vision", "projector")


@dataclass(frozen=True, slots=True)
class Share:
    """The weights of a component with the same state and number format.

    A spare weight is the original of a module that is trained as a copy: PEFT keeps it, and uses the copy.
    """

    component: str
    is_trained: bool
    is_spare: bool
    number_format: str
    count: int
    bytes: int


def weight_shares(net: nn.Module, model: Model) -> list[Share]:
    """All weights by component, in the model's order. Bytes of 4-bit weights include their scales."""
    counts: Counter[tuple[str, bool, bool, str]] = Counter()
    sizes: Counter[tuple[str, bool, bool, str]] = Counter()
    for name, weight in net.named_parameters():
        key = (component_of(name, model), weight.requires_grad, ORIGINAL in name, number_format(weight))
        counts[key] += weight_count(weight)
        sizes[key] += stored_bytes(weight)
    order = [*model.components, "other"]
    keys = sorted(counts, key=lambda key: (order.index(key[0]), not key[1], *key[2:]))
    return [Share(*key, count=counts[key], bytes=sizes[key]) for key in keys]


def number_format(weight: Tensor) -> str:
    """The format of a weight's numbers: 4-bit and 8-bit are bitsandbytes' quantized weights."""
    formats = {"Params4bit": "4-bit", "Int8Params": "8-bit"}
    return formats.get(type(weight).__name__, str(weight.dtype).removeprefix("torch."))


def stored_bytes(weight: Tensor) -> int:
    """Bytes of a weight; of a 4-bit one with the scales of its blocks."""
    scales = getattr(getattr(weight, "quant_state", None), "absmax", None)
    return weight.nbytes + (scales.nbytes if isinstance(scales, Tensor) else 0)


def check_weights(net: nn.Module, shares: Sequence[Share], optimizer_weights: Iterable[Tensor]) -> Iterator[Finding]:
    """Check that trained weights are full numbers, held by the optimizer, and in modules in training mode."""
    for share in shares:
        if share.is_trained and share.number_format in ("4-bit", "8-bit", "float16"):
            is_half = share.number_format == "float16"
            reason = "rounds small steps away and cannot be unscaled" if is_half else "cannot be trained"
            yield _fault(
                WEIGHTS, f"{share.count} trained weights of {share.component} are {share.number_format}, which {reason}"
            )
    optimizer_ids = {id(p) for p in optimizer_weights}
    parameters = list(net.named_parameters())
    if names := [name for name, p in parameters if p.requires_grad and id(p) not in optimizer_ids]:
        yield _fault(WEIGHTS, f"the optimizer does not hold {_name_some(names)}")
    if names := [name for name, p in parameters if not p.requires_grad and id(p) in optimizer_ids]:
        yield _fault(WEIGHTS, f"frozen, so never trained, and yet held by the optimizer: {_name_some(names)}")
    modules_in_eval = [
        name
        for name, module in net.named_modules()
        if not module.training and any(p.requires_grad for p in module.parameters(recurse=False))
    ]
    if modules_in_eval:
        yield _fault(WEIGHTS, f"in eval mode, so without dropout, while it is trained: {_name_some(modules_in_eval)}")


def check_images(model: Model, net: nn.Module, batch: Batch, *, images: int) -> Iterator[Finding]:
    """Check that one sample alone has as many image tokens as features, and every one of its `images` has some."""
    with torch.no_grad():
        features = len(model.image_features(net, batch))
    tokens = int((batch.modality_BT == IMAGE).sum())
    if tokens != features:
        reason = "cut off" if tokens < features else "too many"
        yield _fault(IMAGES, f"{batch.ids[0]}: {tokens} image tokens for {features} features; some are {reason}")
    images_with_tokens = len(torch.unique(batch.image_BT[batch.image_BT >= 0]))
    if images_with_tokens != images:
        yield _fault(IMAGES, f"{batch.ids[0]}: {images} images, of which {images_with_tokens} have tokens")


@dataclass(frozen=True, slots=True)
class GradientState:
    """The names of weights by their gradient after an optimizer step's backward passes.

    `absent`: trained without a gradient; `non_finite` and `zero`: trained with such a gradient; `frozen_with`: frozen,
    but with a gradient.
    """

    absent: frozenset[str]
    non_finite: frozenset[str]
    zero: frozenset[str]
    frozen_with: frozenset[str]


def gradient_state(net: nn.Module) -> GradientState:
    """The state after the last backward passes."""
    parameters = dict(net.named_parameters())
    trained_names = {name for name, p in parameters.items() if p.requires_grad}
    gradients = {name: p.grad for name, p in parameters.items() if p.grad is not None}
    return GradientState(
        absent=frozenset(trained_names - gradients.keys()),
        non_finite=frozenset(n for n in trained_names & gradients.keys() if not torch.isfinite(gradients[n]).all()),
        zero=frozenset(name for name in trained_names & gradients.keys() if not gradients[name].any()),
        frozen_with=frozenset(gradients.keys() - trained_names),
    )


def check_learning(
    states: Sequence[GradientState], *, model: Model, trained_names: Collection[str], has_images: bool, precision: str
) -> Iterator[Finding]:
    """Check over several steps that every trained weight has a finite gradient, and no frozen one has any.

    Zero in one step is normal: an adapter that starts as the identity (LoRA's A before a B of zeros) learns from its
    second step on. Zero in every step is no gradient. A whole component of these is a fault. It is a warning where no
    sample has an image, and in 16-mixed, where a small gradient may become zero: only the training scales its loss up.
    """
    first = states[0]
    zero_names = frozenset.intersection(*(state.zero for state in states))
    if first.absent:
        yield _fault(GRADIENTS, f"trained, but without a gradient, so nothing uses it: {_name_some(first.absent)}")
    if non_finite := frozenset().union(*(state.non_finite for state in states)):
        yield _fault(GRADIENTS, f"a gradient that is not finite: {_name_some(non_finite)}")
    if first.frozen_with:
        yield _fault(GRADIENTS, f"frozen, but with a gradient: {_name_some(first.frozen_with)}")
    rounding_note = "; 16 bits may be too few for it, check with precision=32-true" if precision != "32-true" else ""
    for component in (*model.components, "other"):
        names = {name for name in trained_names if component_of(name, model) == component}
        is_blind = not has_images and component in VISUAL_COMPONENTS
        reason = "; none of the samples has an image" if is_blind else rounding_note
        if component_zeros := zero_names & names:
            is_fault = component_zeros == names and not is_blind and precision != "16-mixed"
            prefix = f"{component} learns nothing, all its trained weights have " if is_fault else ""
            message = f"{prefix}a gradient of zero in {len(states)} steps{reason}: {_name_some(component_zeros)}"
            yield Finding(GRADIENTS, Level.FAULT if is_fault else Level.WARNING, message)
    if not (first.absent or non_finite or first.frozen_with or zero_names):
        message = f"all {len(trained_names)} trained tensors have a finite gradient, and no frozen one has any"
        yield Finding(GRADIENTS, Level.GOOD, message)


def optimizer_bytes(optimizer: Any) -> int:
    """Bytes of all tensors that an optimizer keeps between steps."""
    states: Iterable[Mapping[str, Any]] = optimizer.state.values()
    return sum(value.nbytes for state in states for value in state.values() if isinstance(value, Tensor))


def _fault(check: str, message: str) -> Finding:
    return Finding(check, Level.FAULT, message)


def _name_some(names: Iterable[str]) -> str:
    """The first three names in order, and the number of further ones."""
    sorted_names = sorted(names)
    remainder = f" and {len(sorted_names) - 3} more" if len(sorted_names) > 3 else ""
    return f"{', '.join(sorted_names[:3])}{remainder}"
