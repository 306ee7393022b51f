"""Write fields as JSON, and read them from a reply."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from circuitvlm.task.extract.reply import MAX_CHARACTERS, MAX_DEPTH, ReadObject, parse_json

_ATTEMPTS = 16
"""Braces at which an object may begin: the text is read at most so many times."""

_TOKEN = re.compile(
    r"""\s*+(?: (?P<string> "(?:[^"\\]++|\\.)*+" ) | (?P<open> [{\[] ) | (?P<close> [}\]] ) | (?P<between> [:,] )
    | (?P<word> (?:-?\d++(?:\.\d++)?+(?:[eE][-+]?\d++)?+|true|false|null|NaN|-?Infinity) (?=[\s,:}\]]|\Z) ) )""",
    re.X | re.S,
)
_CUT = re.compile(r'\s*+(?:"(?:[^"\\]++|\\.)*+\\?|[-+.\w]*+)\Z', re.S)
_OPEN_CONTEXT = re.compile(r'(?:"\s{0,20}:|["\]}\d]\s{0,20},|[\[{])\s{0,20}\Z')
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
    """The fields as they are read back: numbers become their texts."""
    if isinstance(value, dict):
        return {key: normalise(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [normalise(inner) for inner in value]
    return json.dumps(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def read(text: str, *, repair: bool) -> ReadObject | None:
    """Read the first object in a text: among other text, in a code fence, or with an extra comma before a bracket.

    Return None where there is none. An object that is cut off does not count, nor do the objects inside it; with
    `repair` it is closed after its last whole value. Of a key that comes twice the last counts, as in Python.
    """
    text = text[:MAX_CHARACTERS].strip()
    for start in _starts(text):
        candidate = _object(text, start)
        if candidate is None:
            continue
        fields = _parse_object(candidate.text) if repair or not candidate.is_cut else None
        if fields is not None:
            is_whole_reply = (
                start == 0 and candidate.end == len(text) and not candidate.has_commas and fields.mended == ""
            )
            return ReadObject(fields, mended="repaired" if candidate.is_cut else "" if is_whole_reply else "found")
        if candidate.is_cut:
            return None
    return None


def _starts(text: str) -> Iterator[int]:
    """The positions of the first opening braces that are not inside another value."""
    position, attempts = text.find("{"), _ATTEMPTS
    while position >= 0 and attempts:
        if not _OPEN_CONTEXT.search(text, max(0, position - 45), position):
            attempts -= 1
            yield position
        position = text.find("{", position + 1)


def _object(text: str, start: int) -> _Object | None:
    """Scan the object that begins at `start`, by its tokens; None where a token is not JSON."""
    stack: list[str] = []
    tokens: list[str] = []
    whole, closers, has_commas, position = 0, "", False, start
    while match := _TOKEN.match(text, position):
        kind, position = str(match.lastgroup), match.end()
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
            return _Object("".join(tokens), position, has_commas)
        if len(stack) > MAX_DEPTH:
            return None
        if kind == "close" or (is_value and kind == "string") or (is_value and kind == "word" and position < len(text)):
            whole, closers = len(tokens), "".join(reversed(stack))
    if not _CUT.match(text, position):
        return None
    return _Object("".join(tokens[:whole]) + closers, len(text), has_commas, is_cut=True)


def _parse_object(text: str) -> ReadObject | None:
    """Parse an object; line breaks in its strings are accepted, and marked as a repair."""
    for strict in (True, False):
        try:
            value = parse_json(text, strict=strict)
        except ValueError:
            continue
        return ReadObject(value, mended="" if strict else "found") if isinstance(value, dict) else None
    return None
