"""Compute the dropout of each module from a profile over depth, separately for each stack of blocks."""

from __future__ import annotations

import re
from collections.abc import Iterable

from circuitvlm.core.contract import Dropout

_BLOCK = re.compile(r"(.*?)\.(?:layers|blocks|h)\.(\d+)\.")


def probabilities(names: Iterable[str], dropout: Dropout) -> dict[str, float]:
    """Map full module names to the probability at the depth of their block.

    A stack (the LLM, the vision tower) is as deep as its deepest named block. A module outside all blocks counts as a
    stack of one.
    """
    places = {name: _place(name) for name in names}
    sizes: dict[str, int] = {}
    for stack, depth in places.values():
        sizes[stack] = max(sizes.get(stack, 0), depth + 1)
    profiles = {stack: dropout.profile(size) for stack, size in sizes.items()}
    return {name: profiles[stack][depth] for name, (stack, depth) in places.items()}


def _place(name: str) -> tuple[str, int]:
    """The stack of a module, and the number of its block in it."""
    match = _BLOCK.match(f"{name}.")
    return (match.group(1), int(match.group(2))) if match else ("", 0)
