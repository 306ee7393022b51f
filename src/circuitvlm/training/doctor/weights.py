"""Which weights does a run hold, which does it train, and does what is trained learn from every image and sample?"""

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
from circuitvlm.training.flops import ORIGINAL
from circuitvlm.training.parameter_groups import component_of

WEIGHTS, GRADIENTS = "weights", "gradients"
VISUAL = ("vision", "projector")


@dataclass(frozen=True, slots=True)
class Share:
    """The weights of a component that are alike: trained, frozen or spare, in one kind of number.

    Spare is the original of a module that is trained whole: PEFT keeps it beside the copy that is used and trained.
    """

    component: str
    trained: bool
    spare: bool
    kind: str
    count: int
    bytes: int


def census(net: nn.Module, model: Model) -> list[Share]:
    """All weights by component, in the model's order. A 4-bit weight is stored two to a byte, beside its scales."""
    counts: Counter[tuple[str, bool, bool, str]] = Counter()
    sizes: Counter[tuple[str, bool, bool, str]] = Counter()
    for name, weight in net.named_parameters():
        key = (component_of(name, model), weight.requires_grad, ORIGINAL in name, kind_of(weight))
        counts[key] += weight.numel() * (2 if key[3] == "4-bit" else 1)
        sizes[key] += stored(weight)
    order = [*model.components, "other"]
    keys = sorted(counts, key=lambda key: (order.index(key[0]), not key[1], *key[2:]))
    return [Share(*key, count=counts[key], bytes=sizes[key]) for key in keys]


def kind_of(weight: Tensor) -> str:
    """The number that a weight is stored in: 4-bit and 8-bit are bitsandbytes' quantized weights."""
    quantized = {"Params4bit": "4-bit", "Int8Params": "8-bit"}
    return quantized.get(type(weight).__name__, str(weight.dtype).removeprefix("torch."))


def stored(weight: Tensor) -> int:
    """Bytes of a weight; of a 4-bit one with the scales of its blocks."""
    scales = getattr(getattr(weight, "quant_state", None), "absmax", None)
    return weight.numel() * weight.element_size() + (
        scales.numel() * scales.element_size() if isinstance(scales, Tensor) else 0
    )


def weights(net: nn.Module, shares: Sequence[Share], optimized: Iterable[Tensor]) -> Iterator[Finding]:
    """What is trained is to be a full number, known to the optimizer, and in no module that rests."""
    for share in shares:
        if share.trained and share.kind in ("4-bit", "8-bit", "float16"):
            why = "rounds small steps away and cannot be unscaled" if share.kind == "float16" else "cannot be trained"
            yield _fault(WEIGHTS, f"{share.count} trained weights of {share.component} are {share.kind}, which {why}")
    trained = {id(p): name for name, p in net.named_parameters() if p.requires_grad}
    held = {id(p) for p in optimized}
    if lost := [name for key, name in trained.items() if key not in held]:
        yield _fault(WEIGHTS, f"the optimizer does not hold {_named(lost)}")
    if more := [name for name, p in net.named_parameters() if id(p) in held and not p.requires_grad]:
        yield _fault(WEIGHTS, f"frozen, so never trained, and yet held by the optimizer: {_named(more)}")
    resting = [
        name
        for name, module in net.named_modules()
        if not module.training and any(p.requires_grad for p in module.parameters(recurse=False))
    ]
    if resting:
        yield _fault(WEIGHTS, f"in eval mode, so without dropout, while it is trained: {_named(resting)}")


def images(model: Model, net: nn.Module, batch: Batch, *, wanted: int) -> Iterator[Finding]:
    """One sample alone has as many image tokens as its images have features, and every image has some."""
    with torch.no_grad():
        features = len(model.see(net, batch))
    places = int((batch.modality_BT == IMAGE).sum())
    if places != features:
        cut = "cut off" if places < features else "too many"
        yield _fault(IMAGES, f"{batch.ids[0]}: {places} image tokens for {features} features; some are {cut}")
    seen = len(torch.unique(batch.image_BT[batch.image_BT >= 0]))
    if seen != wanted:
        yield _fault(IMAGES, f"{batch.ids[0]}: {wanted} images, of which {seen} have tokens")


@dataclass(frozen=True, slots=True)
class Gradients:
    """What one optimizer step left on the weights: the names of those without, not finite, of zero, and wrongly."""

    missing: frozenset[str]
    odd: frozenset[str]
    zero: frozenset[str]
    frozen: frozenset[str]


def gradients(net: nn.Module) -> Gradients:
    """What the last backward passes left; sparse gradients are none of ours."""
    named = dict(net.named_parameters())
    trained = {name: p for name, p in named.items() if p.requires_grad}
    made = {name: p.grad for name, p in trained.items() if p.grad is not None}
    return Gradients(
        missing=frozenset(trained.keys() - made.keys()),
        odd=frozenset(name for name, grad in made.items() if not torch.isfinite(grad).all()),
        zero=frozenset(name for name, grad in made.items() if not grad.any()),
        frozen=frozenset(name for name, p in named.items() if not p.requires_grad and p.grad is not None),
    )


def learning(
    looks: Sequence[Gradients], *, model: Model, trained: Collection[str], pictured: bool, precision: str
) -> Iterator[Finding]:
    """Of several steps: every trained weight has a finite gradient and no frozen one has any.

    Zero once is as it should be: an adapter that is silent at birth (LoRA's A behind a B of zeros) learns from its
    second step on. Zero each time is no gradient. A whole component of these is a fault, but where no image was seen,
    or where a small gradient may become zero: in 16-mixed, whose loss is scaled up in the training alone.
    """
    missing, frozen = looks[0].missing, looks[0].frozen
    none = frozenset.intersection(*(look.zero for look in looks))
    if missing:
        yield _fault(GRADIENTS, f"trained, but without a gradient, so nothing uses it: {_named(missing)}")
    if odd := frozenset().union(*(look.odd for look in looks)):
        yield _fault(GRADIENTS, f"a gradient that is not finite: {_named(odd)}")
    if frozen:
        yield _fault(GRADIENTS, f"frozen, but with a gradient: {_named(frozen)}")
    small = "; 16 bits may be too few to see it, precision=32-true tells" if precision != "32-true" else ""
    for component in (*model.components, "other"):
        own = {name for name in trained if component_of(name, model) == component}
        blind = not pictured and component in VISUAL
        why = "; no sample looked at has an image" if blind else small
        if lost := none & own:
            whole = lost == own and not blind and precision != "16-mixed"
            nothing = f"{component} learns nothing, all that is trained of it has " if whole else ""
            said = f"{nothing}a gradient of zero in {len(looks)} steps{why}: {_named(lost)}"
            yield Finding(GRADIENTS, Level.FAULT if whole else Level.WARNING, said)
    if not (missing or odd or frozen or none):
        said = f"all {len(trained)} trained tensors have a finite gradient, and no frozen one has any"
        yield Finding(GRADIENTS, Level.GOOD, said)


def states(optimizer: Any) -> int:
    """Bytes of all that an optimizer keeps between steps."""
    kept: Iterable[Mapping[str, Any]] = optimizer.state.values()
    return sum(t.numel() * t.element_size() for state in kept for t in state.values() if isinstance(t, Tensor))


def _fault(about: str, said: str) -> Finding:
    return Finding(about, Level.FAULT, said)


def _named(names: Iterable[str]) -> str:
    ordered = sorted(names)
    more = f" and {len(ordered) - 3} more" if len(ordered) > 3 else ""
    return f"{', '.join(ordered[:3])}{more}"
