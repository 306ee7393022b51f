"""Define one Protocol for each extensible package; parts depend on these alone, never on each other.

A class that cannot keep a promise of its package states it in `exempt: ClassVar[dict[str, str]]` (promise -> reason).
The contract tests accept it, and `make check` counts and prints it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from circuitvlm.core.record import Dialogue, Example, Reply, Score

if TYPE_CHECKING:  # packages that only use the text side of these contracts must not import torch
    from torch import Tensor, dtype, nn

    from circuitvlm.core.tensor import Batch, Encoded, Tally


@runtime_checkable
class Source(Protocol):
    """A data set. Ids are unique, the order is always the same, and a held-out topology lies in one split only."""

    def splits(self) -> tuple[str, ...]: ...

    def examples(self, split: str) -> Sequence[Example]: ...


@runtime_checkable
class Task(Protocol):
    """What is asked of an example, and how a reply is read.

    `fits` returns whether the task can ask about an example. `ask` returns a dialogue whose prompt does not depend on
    the answer. `read` never raises, and returns None for a reply that cannot be read. `truth` is what a metric compares
    the result with; compared with itself it has the best score.
    """

    metrics: Mapping[str, Metric]

    def fits(self, example: Example) -> bool: ...

    def ask(self, example: Example) -> Dialogue: ...

    def read(self, text: str) -> Any: ...

    def truth(self, example: Example) -> Any: ...


@runtime_checkable
class Metric(Protocol):
    """A score from 0 (worst) to 1 (best). It never raises, also not on None, an answer that could not be read."""

    def score(self, prediction: Any, truth: Any) -> Score: ...


class Codec(Protocol):
    """A family's conversion between dialogues and tokens. It is small enough to be sent to loader workers."""

    pad: int

    def encode(self, dialogue: Dialogue, *, reply: bool) -> Encoded: ...

    def decode(self, tokens: Sequence[int]) -> str: ...

    def save(self, folder: Path) -> None: ...


@runtime_checkable
class Model(Protocol):
    """A specification of one model, without weights.

    `build` makes the net (with its weights, quantized where asked); image_features, answer_logits and
    generate run it. `components` maps
    vision, projector, llm and head to the prefixes of module names that freezing, adapters, quantization and
    learning-rate groups all read. `folders` are those whose files decide what the net computes, by the setting that
    names each.
    """

    @property
    def folders(self) -> Mapping[str, Path]: ...

    @property
    def components(self) -> Mapping[str, tuple[str, ...]]: ...

    @property
    def blocks(self) -> tuple[str, ...]: ...

    def codec(self) -> Codec: ...

    def build(self, *, dtype: dtype, quantization: Any | None) -> nn.Module: ...

    def smoke_test_model(self) -> Model: ...

    def image_features(self, net: nn.Module, batch: Batch) -> Tensor: ...

    def answer_logits(self, net: nn.Module, features: Tensor, batch: Batch) -> Tensor: ...

    def generate(self, net: nn.Module, batch: Batch, *, max_new_tokens: int, synced_gpus: bool) -> list[list[int]]: ...


@runtime_checkable
class Adapter(Protocol):
    """What is trained in a frozen net. It is attached to the net; frozen weights never change."""

    trains_base: bool

    def attach(self, net: nn.Module, model: Model, dropout: Dropout | None) -> nn.Module: ...

    def save(self, net: nn.Module, folder: Path) -> None: ...

    def load(self, net: nn.Module, folder: Path) -> None: ...


@runtime_checkable
class Dropout(Protocol):
    """A dropout profile: one probability in [0, 1) for each block of a stack."""

    def profile(self, depth: int) -> Sequence[float]: ...


@runtime_checkable
class Collate(Protocol):
    """A batch from samples. Loss and gradients equal those of one sample at a time."""

    def __call__(self, samples: Sequence[Encoded], *, pad: int, side: str) -> Batch: ...


@runtime_checkable
class Objective(Protocol):
    """A loss as (sum, count). The sums of two halves give the whole; nothing to learn gives 0 / 0 -> 0."""

    def tally(self, logits_NV: Tensor, batch: Batch) -> Tally: ...

    def count(self, batch: Batch) -> float: ...


@runtime_checkable
class Routed(Protocol):
    """A module of an adapter that treats samples with an image differently from those without.

    `route` is called before each forward pass and holds until the next, since gradient checkpointing computes the
    forward pass again. A step of generation has fewer tokens than the mask: it belongs to the last tokens of the rows.
    """

    def route(self, pictured_BT: Tensor) -> None: ...


class Schedule(Protocol):
    """The factor in [0, 1] on the peak learning rate, at a step (may be fractional) of a total."""

    def __call__(self, step: float, total: float) -> float: ...


__all__ = [
    "Adapter",
    "Codec",
    "Collate",
    "Dialogue",
    "Dropout",
    "Example",
    "Metric",
    "Model",
    "Objective",
    "Reply",
    "Routed",
    "Schedule",
    "Score",
    "Source",
    "Task",
]
