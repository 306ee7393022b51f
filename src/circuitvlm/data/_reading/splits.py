"""Assign items to splits by the hash of a text, whatever the seed and whatever other items there are."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence

GENERATED_SPLITS = ("train", "validation", "test")
"""What a generated item belongs to, with 80, 10 and 10 % of all items."""


def read_shares(splits: Mapping[str, Mapping[str, float]], *, source: str) -> dict[str, float]:
    """The share of each split. Raises ValueError unless all are positive and sum to 1."""
    for name, settings in splits.items():
        if set(settings) != {"share"} or not 0 < settings["share"] <= 1:
            raise ValueError(f"{source}.splits.{name}: expected share: a number in (0, 1], got {dict(settings)}")
    shares = {name: float(settings["share"]) for name, settings in splits.items()}
    if not math.isclose(math.fsum(shares.values()), 1, abs_tol=1e-9):
        raise ValueError(
            f"{source}.splits: expected shares that sum to 1, got {shares}, which sum to {math.fsum(shares.values()):g}"
        )
    return shares


def split_by_share(text: str, shares: Mapping[str, float]) -> str:
    """The split whose share of [0, 1) holds the position of a text; shares follow each other in their order."""
    position, end = hash_position(text), 0.0
    for split, share in shares.items():
        end += share
        if position < end:
            return split
    return list(shares)[-1]  # the shares' sum may be a rounding error below 1


def generated_split(text: str, names: Sequence[str] = GENERATED_SPLITS) -> str:
    """The first, second or third name for 80, 10 or 10 % of all texts."""
    hundredth = _hash_number(text) % 100
    return names[(hundredth >= 80) + (hundredth >= 90)]


def hash_position(text: str) -> float:
    """The position of a text in [0, 1): the first 48 bits of its SHA-256 as a binary fraction."""
    return _hash_number(text) / 2**48


def _hash_number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")
