"""How are fields written as JSON, and read out of what a model says?"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from circuitvlm.task.extract.reply import DEEPEST, LONGEST, Said, parsed

_ATTEMPTS = 16
"""Braces at which an object may begin; the time is bounded by so many readings of the text."""

_TOKEN = re.compile(
    r"""\s*+(?: (?P<string> "(?:[^"\\]++|\\.)*+" ) | (?P<open> [{\[] ) | (?P<close> [}\]] ) | (?P<between> [:,] )
    | (?P<word> (?:-?\d++(?:\.\d++)?+(?:[eE][-+]?\d++)?+|true|false|null|NaN|-?Infinity) (?=[\s,:}\]]|\Z) ) )""",
    re.X | re.S,
)
_CUT = re.compile(r'\s*+(?:"(?:[^"\\]++|\\.)*+\\?|[-+.\w]*+)\Z', re.S)
_INSIDE = re.compile(r'(?:"\s{0,20}:|["\]}\d]\s{0,20},|[\[{])\s{0,20}\Z')
_CLOSERS = {"{": "}", "[": "]"}


@dataclass(frozen=True, slots=True)
class _Object:
    """The text of an object, without commas before a closing bracket, and where it ends; closed where it was cut."""

    text: str
    end: int
    has_commas: bool = False
    is_cut: bool = False


def write(fields: dict[str, Any]) -> str:
    """Compact JSON."""
    return json.dumps(normalise(fields), ensure_ascii=False, separators=(",", ":"))


def normalise(value: Any) -> Any:
    """What reading gives of what was written: numbers become their texts, all else stays."""
    if isinstance(value, dict):
        return {key: normalise(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [normalise(inner) for inner in value]
    return json.dumps(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def read(text: str, *, repair: bool) -> Said | None:
    """The first object in a text: among other words, in a code fence, with a comma too many before a closing bracket.

    None where there is none. An object that is cut off is none either, nor are the objects inside it; with `repair` it
    is closed after the last value that is whole. Of a key that comes twice, the last counts, as everywhere in Python.
    """
    text = text[:LONGEST].strip()
    for start in _starts(text):
        found = _object(text, start)
        if found is None:
            continue
        fields = _loaded(found.text) if repair or not found.is_cut else None
        if fields is not None:
            alone = start == 0 and found.end == len(text) and not found.has_commas and fields.mended == ""
            return Said(fields, mended="repaired" if found.is_cut else "" if alone else "found")
        if found.is_cut:
            return None
    return None


def _starts(text: str) -> Iterator[int]:
    """The first braces that do not stand inside of something else."""
    at, left = text.find("{"), _ATTEMPTS
    while at >= 0 and left:
        if not _INSIDE.search(text, max(0, at - 45), at):
            left -= 1
            yield at
        at = text.find("{", at + 1)


def _object(text: str, start: int) -> _Object | None:
    """The object from `start` on, told by its tokens alone; None where one of them can be in no JSON."""
    stack: list[str] = []
    tokens: list[str] = []
    whole, closers, has_commas, at = 0, "", False, start
    while match := _TOKEN.match(text, at):
        kind, at = str(match.lastgroup), match.end()
        token = match[kind]
        is_value = bool(tokens) and (tokens[-1] == ":" or stack[-1] == "]")
        if kind == "open":
            stack.append(_CLOSERS[token])
        elif kind == "close":
            if stack.pop() != token:
                return None
            if tokens[-1] == ",":
                tokens.pop()
                has_commas = True
        tokens.append(token)
        if not stack:
            return _Object("".join(tokens), at, has_commas)
        if len(stack) > DEEPEST:
            return None
        if kind == "close" or (is_value and kind == "string") or (is_value and kind == "word" and at < len(text)):
            whole, closers = len(tokens), "".join(reversed(stack))
    if not _CUT.match(text, at):
        return None
    return _Object("".join(tokens[:whole]) + closers, len(text), has_commas, is_cut=True)


def _loaded(text: str) -> Said | None:
    """An object with line breaks in its strings is read as well, but is not as it should be."""
    for strict in (True, False):
        try:
            value = parsed(text, strict=strict)
        except ValueError:
            continue
        return Said(value, mended="" if strict else "found") if isinstance(value, dict) else None
    return None
