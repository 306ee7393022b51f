"""Suggest the right spelling of a wrong name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def suggestion(wrong: str, right: Iterable[str]) -> str:
    """The sentence ` Did you mean 'name'?` with the nearest right name, or no text where none is near."""
    matches = difflib.get_close_matches(wrong, list(right), n=1, cutoff=0.6)
    return f" Did you mean {matches[0]!r}?" if matches else ""
