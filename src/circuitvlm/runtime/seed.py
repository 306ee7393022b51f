"""Derive the seed of each random decision from a run's one seed."""

from __future__ import annotations

import hashlib
import json
import random

import numpy as np


def derive_seed(seed: int, *names: str | int) -> int:
    """A seed below 2**63 for one purpose, as in `derive_seed(cfg.seed, "sampler", epoch)`; the same on all machines.

    Two purposes never share random numbers, and a new purpose does not change the numbers of the others.
    """
    text = json.dumps([int(seed), *names], ensure_ascii=True)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def guess_index(question_id: str, *, options: int) -> int:
    """A random index below `options` that depends on the question's id only."""
    return int.from_bytes(hashlib.sha256(f"guess {question_id}".encode()).digest()[:8], "big") % options


def seed_random_and_numpy(seed: int) -> None:
    """Seed the global generators of `random` and numpy; torch's is seeded where torch is used."""
    random.seed(derive_seed(seed, "random"))
    np.random.seed(derive_seed(seed, "numpy") % 2**32)
