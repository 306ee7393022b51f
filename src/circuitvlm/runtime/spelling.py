"""Suggest the right spelling of a wrong name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def suggestion(wrong_name: str, right_names: Iterable[str]) -> str:
    """The sentence ` Did you mean 'name'?` with the most similar right name; an empty text where none is similar."""
    matches = difflib.get_close_matches(wrong_name, list(right_names), n=1, cutoff=0.6)
    return f" Did you mean {matches[0]!r}?" if matches else ""
