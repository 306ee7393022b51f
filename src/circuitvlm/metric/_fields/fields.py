"""What does a JSON object say? Its fields as Donut's evaluation sees them, within bounds.

Kim et al. 2022, OCR-free Document Understanding Transformer (arXiv 2111.15664); the normal form and the paths are those
of its published evaluator (github.com/clovaai/donut, JSONParseEvaluator).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, TypeAlias

DEEPEST = 64
"""Objects and lists in one another; a receipt has five."""

MOST = 100_000
"""Values and containers of one object; a receipt of 300 items has a few thousand."""

_LONGEST_NUMBER = 10_000
"""Bits: Python writes no integer of more than 4,300 digits."""

_SHOWN = 2000

Fields: TypeAlias = "dict[str, list[Any]]"
"""A normal form: of each key a list of texts, or a list of Fields."""


class TooLargeError(ValueError):
    """An object beyond the bounds of depth, size or time; the message says which."""


def normalise(value: dict[Any, Any]) -> Fields:
    """Donut's normal form: empty values vanish, keys are sorted by length, all is wrapped in lists, leaves are texts.

    A list that is not of objects alone keeps its texts and numbers only. Raises TooLargeError.
    """
    _check_size(value)
    return _fields(value)


def paths(fields: Fields) -> Counter[tuple[str, str]]:
    """How often each (dotted path, text) is there."""
    return Counter(_leaves(fields, ""))


def shown(value: Any) -> str:
    """The start of a value as compact JSON, for people."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)[:_SHOWN]
    return text.encode("utf-8", "replace").decode()


def _check_size(value: Any) -> None:
    """Level by level, so that neither a deep nor a wide value costs more than the bounds allow."""
    level, depth, count = [value], 0, 1
    while level:
        depth += 1
        if depth > DEEPEST:
            raise TooLargeError(f"nested more than {DEEPEST} deep")
        inner: list[Any] = []
        for one in level:
            children = one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
            count += len(children)
            if count > MOST:
                raise TooLargeError(f"more than {MOST:,} values")
            inner += children
        level = inner


def _fields(value: dict[Any, Any]) -> Fields:
    pairs = sorted(((str(key), inner) for key, inner in value.items()), key=lambda pair: (len(pair[0]), pair[0]))
    return {key: made for key, inner in pairs if (made := _values(inner))}


def _values(value: Any) -> list[Any]:
    if not value:
        return []
    if isinstance(value, dict):
        return [made] if (made := _fields(value)) else []
    if isinstance(value, list):
        if all(isinstance(item, dict) for item in value):
            return [made for item in value if (made := _fields(item))]
        return [text for item in value if type(item) in (str, int, float) and (text := _text(item))]
    return [_text(value)]


def _text(value: Any) -> str:
    if isinstance(value, int) and value.bit_length() > _LONGEST_NUMBER:
        raise TooLargeError(f"a number of {value.bit_length():,} bits")
    return str(value).strip()


def _leaves(fields: Fields, above: str) -> Iterator[tuple[str, str]]:
    for key, values in fields.items():
        path = f"{above}.{key}" if above else key
        for value in values:
            if isinstance(value, dict):
                yield from _leaves(value, path)
            else:
                yield path, value
