"""Run a model specification and its weights as one module."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from circuitvlm.core.contract import Codec, Model, Routed
from circuitvlm.core.record import Reply
from circuitvlm.core.tensor import Batch


class Net(nn.Module):
    """A built model with its adapter.

    It is one module so that DDP and FSDP see one forward; FSDP has `generate` as a second forward method.
    """

    def __init__(self, model: Model, weights: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.weights = weights
        self._routed_modules = [module for module in weights.modules() if isinstance(module, Routed)]

    def forward(self, batch: Batch, features: Tensor | None = None) -> Tensor:
        """Logits (N, V) at the labelled tokens only; with `features` the images are not encoded again."""
        self._route(batch)
        features = self.model.image_features(self.weights, batch) if features is None else features
        return self.model.answer_logits(self.weights, features, batch)

    def generate(self, batch: Batch, *, max_new_tokens: int, synced_gpus: bool = False) -> list[list[int]]:
        """New tokens of every row of a left-padded batch, greedy, cut at the end token."""
        self._route(batch)
        return self.model.generate(self.weights, batch, max_new_tokens=max_new_tokens, synced_gpus=synced_gpus)

    def _route(self, batch: Batch) -> None:
        for module in self._routed_modules:
            module.route(batch.pictured_BT)


def decode_replies(rows: Sequence[list[int]], batch: Batch, *, codec: Codec, max_new_tokens: int) -> list[Reply]:
    """The replies of a batch from the rows that `generate` returned, with whether `max_new_tokens` cut them."""
    choices = batch.choices or [()] * len(rows)
    return [
        Reply(id=id, task=task, text=codec.decode(row), cut=_is_cut(row, of_row, max_new_tokens=max_new_tokens))
        for id, task, row, of_row in zip(batch.ids, batch.tasks, rows, choices, strict=True)
    ]


def _is_cut(row: list[int], choices: Sequence[tuple[int, ...]], *, max_new_tokens: int) -> bool:
    """Whether a reply did not end: it is as long as allowed, and is not a whole choice, which has no later token."""
    return len(row) >= max_new_tokens and all(tuple(row) != choice[:-1] for choice in choices)
