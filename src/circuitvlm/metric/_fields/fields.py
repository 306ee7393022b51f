"""Normalise JSON objects as Donut's evaluation does, within bounds of depth and size.

Kim et al. 2022, OCR-free Document Understanding Transformer (arXiv 2111.15664); the normal form and the paths are those
of its published evaluator (github.com/clovaai/donut, JSONParseEvaluator).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, TypeAlias

MAX_DEPTH = 64
"""Objects and lists in one another; a receipt has five."""

MAX_VALUES = 100_000
"""Values and containers of one object; a receipt of 300 items has a few thousand."""

_MAX_NUMBER_BITS = 10_000
"""Bits: Python writes no integer of more than 4,300 digits."""

_MAX_EXCERPT = 2000

Fields: TypeAlias = "dict[str, list[Any]]"
"""A normal form: of each key a list of texts, or a list of Fields."""


class TooLargeError(ValueError):
    """An object beyond the bounds of depth, size or time; the message says which."""


def normalise(value: dict[Any, Any]) -> Fields:
    """Return Donut's normal form: no empty values, keys sorted by length, every value in a list, leaves as text.

    A list that holds more than objects keeps only its texts and numbers. Raises TooLargeError.
    """
    _check_size(value)
    return _fields(value)


def paths(fields: Fields) -> Counter[tuple[str, str]]:
    """Count each (dotted path, text)."""
    return Counter(_leaves(fields, ""))


def excerpt(value: Any) -> str:
    """The first 2,000 characters of a value as compact JSON."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)[:_MAX_EXCERPT]
    return text.encode("utf-8", "replace").decode()


def _check_size(value: Any) -> None:
    """Level by level, so that neither a deep nor a wide value costs more than the bounds allow."""
    level, depth, count = [value], 0, 1
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise TooLargeError(f"JSON object: expected at most {MAX_DEPTH} nested levels, got more")
        inner: list[Any] = []
        for container in level:
            children = (
                container.values() if isinstance(container, dict) else container if isinstance(container, list) else ()
            )
            count += len(children)
            if count > MAX_VALUES:
                raise TooLargeError(f"JSON object: expected at most {MAX_VALUES:,} values, got {count:,} or more")
            inner += children
        level = inner


def _fields(value: dict[Any, Any]) -> Fields:
    pairs = sorted(((str(key), inner) for key, inner in value.items()), key=lambda pair: (len(pair[0]), pair[0]))
    return {key: values for key, inner in pairs if (values := _values(inner))}


def _values(value: Any) -> list[Any]:
    if not value:
        return []
    if isinstance(value, dict):
        return [fields] if (fields := _fields(value)) else []
    if isinstance(value, list):
        if all(isinstance(item, dict) for item in value):
            return [fields for item in value if (fields := _fields(item))]
        return [text for item in value if type(item) in (str, int, float) and (text := _text(item))]
    return [_text(value)]


def _text(value: Any) -> str:
    if isinstance(value, int) and value.bit_length() > _MAX_NUMBER_BITS:
        raise TooLargeError(
            f"JSON object: expected numbers of at most {_MAX_NUMBER_BITS:,} bits, got {value.bit_length():,}"
        )
    return str(value).strip()


def _leaves(fields: Fields, parent: str) -> Iterator[tuple[str, str]]:
    for key, values in fields.items():
        path = f"{parent}.{key}" if parent else key
        for value in values:
            if isinstance(value, dict):
                yield from _leaves(value, path)
            else:
                yield path, value
