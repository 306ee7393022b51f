"""Draw the tokens of a reply at random instead of taking the likeliest ones.

Shape suffixes: B rows, T tokens so far, V vocabulary.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import (
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

SETTINGS: Mapping[str, str] = {
    "temperature": "a number above 0",
    "top_k": "a whole number above 0",
    "top_p": "a number above 0 and at most 1",
    "repetition_penalty": "a number above 0",
    "seed": "a whole number from 0 on",
}
"""The settings of sampling, with their values. With `repetition_penalty` alone, the likeliest tokens are taken."""


class Sampling:
    """Change the logits so that the likeliest token is a random one of the distribution that the settings state.

    The noise is Gumbel's (arXiv 1411.0030, section 2): the largest of logits plus noise is a sample of their softmax.
    It is drawn for each reply on its own, from the seed, the id of the dialogue and the number of the token. So a reply
    does not depend on the other rows of its batch or on the number of processes. Rows with `choices` keep their logits.
    The penalty for repetition looks at the reply alone, which begins after `prompt_length` tokens.
    """

    def __init__(
        self,
        settings: Mapping[str, float],
        *,
        ids: Sequence[str],
        choices: Sequence[Sequence[object]],
        prompt_length: int,
    ) -> None:
        self.prompt_length = prompt_length
        seed, rows = settings.get("seed", 0), zip(ids, choices or [()] * len(ids), strict=True)
        self.keys = {row: f"{seed:g}/{id}" for row, (id, of_row) in enumerate(rows) if not of_row}
        self.is_random = not settings.keys().isdisjoint(("temperature", "top_k", "top_p"))
        makers: dict[str, Callable[[float], Any]] = {
            "repetition_penalty": lambda value: RepetitionPenaltyLogitsProcessor(float(value), prompt_length),
            "temperature": lambda value: TemperatureLogitsWarper(float(value)),
            "top_k": lambda value: TopKLogitsWarper(int(value)),
            "top_p": lambda value: TopPLogitsWarper(float(value)),
        }
        self.processors = [make(settings[name]) for name, make in makers.items() if name in settings]

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """The changed logits (B, V), from the tokens so far (B, T) and the model's logits (B, V)."""
        changed_BV = scores
        for processor in self.processors:
            changed_BV = processor(input_ids, changed_BV)
        length = input_ids.shape[1] - self.prompt_length
        logits_BV = scores.clone()
        for row, key in self.keys.items():
            logits_BV[row] = changed_BV[row]
            if self.is_random:
                logits_BV[row] += torch.from_numpy(_noise(scores.shape[1], key=f"{key}/{length}")).to(scores)
        return logits_BV


def check_settings(settings: Mapping[str, float]) -> None:
    """Raise ValueError for an unknown setting of sampling, and for a value that it does not have."""
    for name, value in settings.items():
        if name not in SETTINGS:
            raise ValueError(f"model.sampling: expected settings among {', '.join(SETTINGS)}, got {name!r}")
        least = 0 if name == "seed" else math.ulp(0)
        largest = 1 if name == "top_p" else math.inf
        is_number = isinstance(value, (int, float)) and math.isfinite(value) and least <= value <= largest
        if not is_number or (SETTINGS[name].startswith("a whole") and int(value) != value):
            raise ValueError(f"model.sampling.{name}: expected {SETTINGS[name]}, got {value!r}")


def _noise(size: int, *, key: str) -> np.ndarray:
    """Gumbel noise (V,) that the key alone determines."""
    seed = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=16).digest(), "big")
    return np.random.default_rng(seed).gumbel(size=size)
