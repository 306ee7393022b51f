"""Where does each random decision get its own seed from?"""

from __future__ import annotations

import hashlib
import json
import random

import numpy as np


def stream(seed: int, *names: str | int) -> int:
    """A seed of its own for each purpose, as in `stream(cfg.seed, "sampler", epoch)`; below 2**63, the same everywhere.

    Two purposes never share random numbers, and a new purpose does not move the numbers of the old ones.
    """
    text = json.dumps([int(seed), *names], ensure_ascii=True)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def guess(question_id: str, *, options: int) -> int:
    """An index below `options`, drawn by the question's id: the same for the same question, whoever asks."""
    return int.from_bytes(hashlib.sha256(f"guess {question_id}".encode()).digest()[:8], "big") % options


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """A numpy generator on the stream of that name."""
    return np.random.default_rng(stream(seed, *names))


def seed_plain(seed: int) -> None:
    """Seed the global generators of `random` and numpy; torch's is seeded where torch is used."""
    random.seed(stream(seed, "random"))
    np.random.seed(stream(seed, "numpy") % 2**32)
