"""How much noise does each module get? A profile over depth, begun anew in each stack of blocks."""

from __future__ import annotations

import re
from collections.abc import Iterable

from circuitvlm.core.contract import Dropout

_BLOCK = re.compile(r"(.*?)\.(?:layers|blocks|h)\.(\d+)\.")


def probabilities(names: Iterable[str], dropout: Dropout) -> dict[str, float]:
    """Full module name -> probability of its block's depth; a module outside all blocks counts as a stack of one.

    A stack (the LLM, the vision tower) is as deep as the deepest block that is named.
    """
    places = {name: _place(name) for name in names}
    sizes: dict[str, int] = {}
    for stack, depth in places.values():
        sizes[stack] = max(sizes.get(stack, 0), depth + 1)
    profiles = {stack: dropout.profile(size) for stack, size in sizes.items()}
    return {name: profiles[stack][depth] for name, (stack, depth) in places.items()}


def _place(name: str) -> tuple[str, int]:
    """The stack that a module lies in, and the number of its block there."""
    found = _BLOCK.match(f"{name}.")
    return (found.group(1), int(found.group(2))) if found else ("", 0)
