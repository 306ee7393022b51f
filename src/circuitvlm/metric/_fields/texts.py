"""Compute the Levenshtein distances of many pairs of texts at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import chain

import numpy as np
import numpy.typing as npt


def distances(rows: Sequence[str], columns: Sequence[str]) -> npt.NDArray[np.int64]:
    """(len(one), len(two)): insertions, deletions and substitutions of single characters.

    H. Hyyrö 2003, A bit-vector algorithm for computing Levenshtein and Damerau edit distances (Nordic Journal of
    Computing 10): a column of the table is two integers with a bit for each cell, set where it rises and where it
    falls. Here all texts of `one` stand side by side in one integer. After each is a bit that belongs to none, so that
    nothing is carried over. Takes characters of `one` x characters of `two` / 2 machine steps, and
    at most a bit for each of them.
    """
    distance_table = np.zeros((len(rows), len(columns)), dtype=np.int64)
    starts = np.cumsum([0, *(len(text) + 1 for text in rows)])
    first, size = starts[:-1], int(starts[-1])
    cells = _number("".join("1" * len(text) + "0" for text in rows))
    lowest = _number("".join("1" + "0" * len(text) for text in rows))
    places = _places(rows, set().union(*columns), size=size)
    for column, text in enumerate(columns if rows else ()):
        rises, falls = cells, 0
        for letter in text:
            match_bits = places[letter]
            level = ((((match_bits & rises) + rises) ^ rises) | match_bits | falls) & cells
            rise_bits = ((falls | (cells ^ (level | rises))) << 1) | lowest
            fall_bits = (level & rises) << 1
            rises, falls = (fall_bits | ~(level | rise_bits)) & cells, rise_bits & level
        steps = _bits(rises, size) - _bits(falls, size)
        distance_table[:, column] = len(text) + np.add.reduceat(steps, first)
    return distance_table


def _number(bits: str) -> int:
    """The lowest bit first."""
    return int(bits[::-1] or "0", 2)


def _places(texts: Sequence[str], letters: set[str], *, size: int) -> dict[str, int]:
    """Of each letter, where it stands in the texts side by side."""
    indices = defaultdict(list)
    for place, letter in enumerate(chain.from_iterable((*text, "") for text in texts)):
        indices[letter].append(place)
    masks = {}
    for letter in letters:
        bits = np.zeros(size, dtype=np.uint8)
        bits[indices.get(letter, [])] = 1
        masks[letter] = int.from_bytes(np.packbits(bits, bitorder="little").tobytes(), "little")
    return masks


def _bits(number: int, size: int) -> npt.NDArray[np.int64]:
    packed_bytes = np.frombuffer(number.to_bytes(-(-size // 8), "little"), dtype=np.uint8)
    return np.unpackbits(packed_bytes, count=size, bitorder="little").astype(np.int64)
