"""Run a model specification and its weights as one module."""

from __future__ import annotations

from torch import Tensor, nn

from circuitvlm.core.contract import Model, Routed
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
