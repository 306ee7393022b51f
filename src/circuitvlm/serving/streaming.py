"""Stream the text of a reply while a model generates it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import nn

from circuitvlm.model.base.language_model import base_model
from circuitvlm.serving.text import OnText

INCOMPLETE = "\N{REPLACEMENT CHARACTER}"
"""What a tokenizer decodes to for an incomplete character."""


class ReplyStream:
    """Pass on the text of a growing reply in chunks, each character once."""

    def __init__(self, on_text: OnText) -> None:
        self.on_text = on_text
        self.sent_text = ""

    def update(self, text: str) -> None:
        """Pass on what is new in the text so far, without an incomplete character at its end."""
        self._send(text.rstrip(INCOMPLETE))

    def finish(self, text: str) -> None:
        """Pass on what is new in the whole text; if it differs from the sent text, send all of it on a new line."""
        if not text.startswith(self.sent_text):
            self.on_text("\n")
            self.sent_text = ""
        self._send(text)

    def _send(self, text: str) -> None:
        if text.startswith(self.sent_text) and text != self.sent_text:
            self.on_text(text[len(self.sent_text) :])
            self.sent_text = text


@contextmanager
def stream_tokens(weights: nn.Module, decode: Callable[[Sequence[int]], str], on_text: OnText) -> Iterator[ReplyStream]:
    """Stream what the net generates for one row: a hook reads each new token when it is fed back into the net.

    The caller finishes the stream with the whole text.
    """
    stream = ReplyStream(on_text)
    tokens: list[int] = []
    calls = 0

    def hook(net: nn.Module, args: Any, kwargs: dict[str, Any]) -> None:
        nonlocal calls
        calls += 1
        input_ids = kwargs.get("input_ids")
        if calls > 1 and input_ids is not None:  # the first call has the prompt
            tokens.append(int(input_ids[0, -1]))
            stream.update(decode(tokens))

    handle = base_model(weights).register_forward_pre_hook(hook, with_kwargs=True)
    try:
        yield stream
    finally:
        handle.remove()
