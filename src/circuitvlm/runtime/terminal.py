"""Prepare texts of models, data sets and folders for a terminal."""

from __future__ import annotations


def sanitize(text: str) -> str:
    """The text with a replacement character for each character that a terminal could execute, such as ESC.

    Among them are characters that are not shown, such as those that change the direction of a text. Line breaks stay,
    and tabs become spaces.
    """
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text.expandtabs())
