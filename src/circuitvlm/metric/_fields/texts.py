"""How many letters differ? Levenshtein's distance of each of some texts to each of others, many at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def distances(one: Sequence[str], two: Sequence[str]) -> npt.NDArray[np.int64]:
    """(len(one), len(two)): insertions, deletions and substitutions of single characters.

    H. Hyyrö 2003, A bit-vector algorithm for computing Levenshtein and Damerau edit distances (Nordic Journal of
    Computing 10): a column of the table is two integers with a bit for each cell, set where it rises and where it
    falls. Here all texts of `one` stand side by side in one integer. After each is a bit that belongs to none, so that
    nothing is carried over. Takes characters of `one` x characters of `two` / 2 machine steps, and
    at most a bit for each of them.
    """
    found = np.zeros((len(one), len(two)), dtype=np.int64)
    starts = np.cumsum([0, *(len(text) + 1 for text in one)])
    first, size = starts[:-1], int(starts[-1])
    cells = _number("".join("1" * len(text) + "0" for text in one))
    lowest = _number("".join("1" + "0" * len(text) for text in one))
    places = _places(one, set().union(*two), size=size)
    for column, text in enumerate(two if one else ()):
        rises, falls = cells, 0
        for letter in text:
            same = places[letter]
            level = ((((same & rises) + rises) ^ rises) | same | falls) & cells
            up = ((falls | (cells ^ (level | rises))) << 1) | lowest
            down = (level & rises) << 1
            rises, falls = (down | ~(level | up)) & cells, up & level
        steps = _unpacked(rises, size) - _unpacked(falls, size)
        found[:, column] = len(text) + np.add.reduceat(steps, first)
    return found


def _number(bits: str) -> int:
    """The lowest bit first."""
    return int(bits[::-1] or "0", 2)


def _places(texts: Sequence[str], letters: set[str], *, size: int) -> dict[str, int]:
    """Of each letter, where it stands in the texts side by side."""
    at = defaultdict(list)
    start = 0
    for text in texts:
        for place, letter in enumerate(text, start):
            at[letter].append(place)
        start += len(text) + 1
    found = {}
    for letter in letters:
        bits = np.zeros(size, dtype=np.uint8)
        bits[at.get(letter, [])] = 1
        found[letter] = int.from_bytes(np.packbits(bits, bitorder="little").tobytes(), "little")
    return found


def _unpacked(number: int, size: int) -> npt.NDArray[np.int64]:
    held = np.frombuffer(number.to_bytes(-(-size // 8), "little"), dtype=np.uint8)
    return np.unpackbits(held, count=size, bitorder="little").astype(np.int64)
