"""Generate a reply whether it ends or is cut: untrained models seldom end their replies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from circuitvlm.serving.cut_reply import CutReplyError


def reply_of(generate: Callable[..., str], *arguments: Any, **options: Any) -> str:
    """The text that a predictor's method generates, also where it was cut."""
    try:
        return generate(*arguments, **options)
    except CutReplyError as error:
        return error.text
