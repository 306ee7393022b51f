"""Read the words after a device's nodes: its value, its phasor, and the remaining text."""

from __future__ import annotations

import cmath
import math
import re
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice

from circuitvlm.circuit.netlist.lexer import split_words
from circuitvlm.circuit.quantity import parse_spice

_NUMBER = re.compile(r"[+\-\u2212]?\.?[0-9]")
_MAX_NUMBER = 64
_UNIT = re.compile(r"ohms?|[Ωωvafhs]|volts?|vdc|vac|amps?|amperes?|farads?|henry|henries")
_SCALED_UNIT = re.compile(r"(k|meg)|(meg|[tgkmunpµμ])(ohms?|[Ωωvafhs])", re.I)
_COEFFICIENT = re.compile(r"tc=[^,]+", re.I)
_WAVEFORMS = frozenset({"sin", "sine", "pulse", "pwl", "exp", "sffm", "am"})
"""Transient functions of a source; the parenthesis around their numbers may be missing."""

_SYMBOL = re.compile(r"[A-Za-z]\w{0,30}")
_DEVICE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.#+\-\[\]/!]{0,63}")

ParsedValue = tuple[float | None, complex | None, str]
"""Value, phasor, and the remaining text."""


def parse_value(kind: str, words: Sequence[str]) -> ParsedValue:
    """What the words after the nodes of a device of this kind state. Raises ValueError."""
    if kind in "RCLEG":
        return _parse_passive(deque(words), kind=kind)
    if kind in "VI":
        return _parse_source(deque(words))
    if kind in "FHK":
        return _parse_names_and_number(words, count=2 if kind == "K" else 1)
    return None, None, _join_text(words, has_number=False)


def is_number(word: str) -> bool:
    """Whether the word is a number as SPICE writes it."""
    if not word or not _NUMBER.match(word) or len(word) > _MAX_NUMBER:
        return False
    try:
        parse_spice(word)
    except ValueError:
        return False
    return True


def _take_while(words: deque[str], condition: Callable[[str], bool]) -> list[str]:
    """Remove and return the words at the front that fulfil the condition."""
    front: list[str] = []
    while words and condition(words[0]):
        front.append(words.popleft())
    return front


def _take_number(words: deque[str]) -> float | None:
    """Remove the number at the front and the units after it (`10 kOhm`). Returns None where there is no number."""
    if not words or not is_number(words[0]):
        return None
    number = words.popleft()
    if words and number[-1] in "0123456789." and (match := _SCALED_UNIT.fullmatch(words[0])):
        number += match[1] or match[2]
    _take_while(words, _is_unit)
    return parse_spice(number)


def _is_unit(word: str) -> bool:
    return bool(_UNIT.fullmatch(word.lower()) or _SCALED_UNIT.fullmatch(word))


def _parse_passive(words: deque[str], *, kind: str) -> ParsedValue:
    """R, C, L, E, G: a number or `R=10k` first, then the text."""
    value: float | None = None
    texts: list[str] = []
    has_plain_text = False  # a word other than `key=..`
    while words:
        key, _, value_word = words[0].partition("=")
        if value is None and key.lower() in (kind.lower(), "value", "val", "gain") and is_number(value_word):
            words.popleft()
            value = _take_number(deque([value_word, *islice(words, 2)]))
            _take_while(words, _is_unit)
        elif value is None and not has_plain_text and (number := _take_number(words)) is not None:
            value = number
        else:
            word = words.popleft()
            if texts and is_number(word) and _COEFFICIENT.fullmatch(texts[-1]):
                texts[-1] += f",{word}"  # TC=0,0
            elif value is not None and not has_plain_text and is_number(word):
                raise _second_value_error(word)
            else:
                has_plain_text = has_plain_text or not value_word
                texts.append(word)
    return value, None, _join_text(texts, has_number=value is not None)


def _parse_source(words: deque[str]) -> ParsedValue:
    """V, I: `[dc] value`, `ac [magnitude [phase in degrees]]`, and text (a transient function, a symbol)."""
    words = deque(part for word in words for part in _split_assignment(word))
    value: float | None = None
    ac: complex | None = None
    texts: list[str] = []
    while words:
        word = words[0]
        if (number := _take_number(words)) is not None:
            if value is not None:
                raise _second_value_error(word)
            value = number
            continue
        words.popleft()
        if word.lower() == "ac" and words and _is_symbol(words[0]):
            texts += ["AC", words.popleft()]
        elif word.lower() == "ac":
            magnitude = _take_number(words)
            ac = 1 + 0j if magnitude is None else _phasor(magnitude, degrees=_take_number(words) or 0.0)
        elif word.lower().startswith("distof"):
            texts += [word, *_take_while(words, is_number)]
        elif word.lower() in _WAVEFORMS and words and is_number(words[0]):
            texts.append(f"{word}({' '.join(_take_while(words, is_number))})")
        elif word.lower() != "dc":
            texts.append(word)
    if ac is not None and value is None and not texts:
        value = 0.0
    return value, ac, _join_text(texts, has_number=value is not None or ac is not None)


def _is_symbol(word: str) -> bool:
    """Whether a word after `ac` is a symbol for the amplitude."""
    return _SYMBOL.fullmatch(word) is not None and word.lower() not in _WAVEFORMS | {"dc", "ac", "distof1", "distof2"}


def _second_value_error(word: str) -> ValueError:
    return ValueError(f"expected one value, without commas in it, got a second value {word!r}")


def _split_assignment(word: str) -> list[str]:
    key, _, value_word = word.partition("=")
    return [key, value_word] if key.lower() in ("dc", "ac") and is_number(value_word) else [word]


def _phasor(magnitude: float, *, degrees: float) -> complex:
    """The phasor, exact at multiples of 90 degrees."""
    degrees = math.fmod(degrees, 360.0)
    quarter = {0.0: 1, 90.0: 1j, 180.0: -1, 270.0: -1j, -90.0: -1j, -180.0: -1, -270.0: 1j}.get(degrees)
    return magnitude * (complex(quarter) if quarter is not None else cmath.rect(1.0, math.radians(degrees)))


def _parse_names_and_number(words: Sequence[str], *, count: int) -> ParsedValue:
    """F, H, K: the names of `count` devices, then a number. All words are text where these are missing."""
    names, value_words = words[:count], deque(words[count:])
    value = _take_number(value_words) if len(names) == count and all(map(_DEVICE_NAME.fullmatch, names)) else None
    if value is None:
        return None, None, _join_text(words, has_number=False)
    return value, None, " ".join([*names, _join_text(value_words, has_number=True)]).strip()


def _join_text(texts: Sequence[str], *, has_number: bool) -> str:
    text = " ".join(texts)
    # Without the numbers between them, some words would be joined when the text is read again (`sin 5 (0 1)`).
    if "(" in text and split_words(text) != list(texts):
        raise ValueError(f"expected a parenthesis that belongs to one word, got {text[:40]!r}")
    if has_number and texts and _is_unit(texts[0]):
        raise ValueError(f"expected a number before the unit {texts[0]!r}, got none")
    return text
