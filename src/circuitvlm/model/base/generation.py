"""What do the families share when they generate? Which tokens may follow, and where a reply ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn


def plain(net: nn.Module) -> Any:
    """The transformers model inside a PEFT wrapper, or the net itself."""
    return net.get_base_model() if hasattr(net, "get_base_model") else net  # type: ignore[operator]  # PEFT's own method, which an nn.Module does not state


def among(
    choices: Sequence[Sequence[Sequence[int]]], *, prompt: int, end: int, words: int
) -> Callable[[int, Tensor], list[int]] | None:
    """Which tokens may follow in each row: those of its choices that agree so far; None where no row has choices.

    Token by token the likeliest one is taken, which is the likeliest choice where they differ in their first token.
    A row without choices may say any of the `words`, beside others that have some. `prompt`: how many tokens stand
    before the reply.
    """
    if not choices:
        return None
    anything = list(range(words))

    def allowed(row: int, tokens: Tensor) -> list[int]:
        if not choices[row]:
            return anything
        said = tokens[prompt:].tolist()
        following = {c[len(said)] for c in choices[row] if len(c) > len(said) and list(c[: len(said)]) == said}
        return sorted(following) or [end]

    return allowed


def until(tokens: list[int], ends: set[int]) -> list[int]:
    """The tokens before the first end token."""
    for index, token in enumerate(tokens):
        if token in ends:
            return tokens[:index]
    return tokens
