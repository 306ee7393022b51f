"""Save and restore the random state of this process."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch


def get_state() -> dict[str, Any]:
    """The state of every global generator, in tensors and primitives only: a checkpoint has no pickled classes."""
    numpy_state = np.random.get_state(legacy=False)
    inner = numpy_state["state"]
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
        "python": random.getstate(),
        "numpy": {**numpy_state, "state": {**inner, "key": inner["key"].tolist()}},
    }


def set_state(state: dict[str, Any]) -> None:
    """Restore a result of `get_state`; the GPU's generator only where it was saved and a GPU is available."""
    torch.set_rng_state(state["torch"])
    if state["cuda"] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])
    random.setstate(state["python"])
    inner = state["numpy"]["state"]
    np.random.set_state({**state["numpy"], "state": {**inner, "key": np.array(inner["key"], np.uint32)}})


def use_deterministic_convolutions() -> None:
    """Let the GPU's convolutions choose algorithms that give the same bits every time.

    Deterministic attention and scatters on a GPU cost time and are opt-in: `+trainer.deterministic=true`. On a CPU
    everything is repeatable without a setting.
    """
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False
