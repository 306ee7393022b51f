"""What is a model saying, while it says it? Its tokens come by as they go back into it, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import nn

from circuitvlm.model.base.generation import plain
from circuitvlm.serving.pieces import Pieces


@contextmanager
def listening(weights: nn.Module, decode: Callable[[Sequence[int]], str], pieces: Pieces) -> Iterator[None]:
    """Inside, what the net generates for one row is passed on, each token when it goes back in to give the next."""
    tokens: list[int] = []
    calls = 0

    def look(net: nn.Module, args: Any, words: dict[str, Any]) -> None:
        nonlocal calls
        calls += 1
        row = words.get("input_ids")
        if calls == 1 or row is None:  # the first is the prompt
            return
        tokens.append(int(row[0, -1]))
        pieces.so_far(decode(tokens))

    hook = plain(weights).register_forward_pre_hook(look, with_kwargs=True)
    try:
        yield
    finally:
        hook.remove()
