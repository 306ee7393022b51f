"""State that a reply was cut, which its reader could take for a whole one."""

from __future__ import annotations


class CutReplyError(ValueError):
    """A reply that reached max_new_tokens before its end; `text` is what there is of it."""

    def __init__(self, text: str, *, max_new_tokens: int) -> None:
        self.text = text
        super().__init__(
            f"expected a reply that ends within max_new_tokens={max_new_tokens}, got one that was cut there; give "
            f"--max-new-tokens {2 * max_new_tokens}"
        )
