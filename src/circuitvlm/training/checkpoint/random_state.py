"""Where do the random numbers of this process stand, and how are they put there again?"""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch


def state() -> dict[str, Any]:
    """The standing of every global generator, in tensors and primitives only: a checkpoint is no pickle of classes."""
    numpy = np.random.get_state(legacy=False)
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
        "python": random.getstate(),
        "numpy": {**numpy, "state": {**numpy["state"], "key": numpy["state"]["key"].tolist()}},
    }


def restore(state: dict[str, Any]) -> None:
    """Go on from a `state`; the device's generator where there was one and is one."""
    torch.set_rng_state(state["torch"])
    if state["cuda"] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])
    random.setstate(state["python"])
    numpy = state["numpy"]
    np.random.set_state({**numpy, "state": {**numpy["state"], "key": np.array(numpy["state"]["key"], np.uint32)}})


def repeatable() -> None:
    """Let the device's convolutions choose algorithms that give the same bits every time.

    What would cost time (deterministic attention and scatters on a GPU) is the user's to ask for:
    `+trainer.deterministic=true`. On a CPU everything repeats as it is.
    """
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False
