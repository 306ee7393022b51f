"""What does a parameter's name stand for?"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from circuitvlm.circuit.netlist.lexer import MAX_TOKEN, NetlistError
from circuitvlm.circuit.netlist.value import is_number

_NAME = re.compile(r"(?<![\w.])[A-Za-z_]\w*(?![\w(])")
_ROUNDS = 16
_VALUED = frozenset("RCLVIEGFH")
"""Kinds that may state a parameter as a word of its own (`R1 1 2 rload`); others say `w=wn`."""


def stated(words: Sequence[str]) -> dict[str, str]:
    """The parameters among the words (`wn=1u`), by name in lower case."""
    pairs = (word.partition("=") for word in words)
    return {name.lower(): value for name, sign, value in pairs if sign and value}


def resolved(parameters: Mapping[str, str]) -> dict[str, str]:
    """The parameters with others' names replaced, whatever their order. Raises NetlistError for a circle."""
    values = dict(parameters)
    for _ in range(_ROUNDS):
        before = dict(values)
        values = {name: _filled(value, values, but=name) for name, value in before.items()}
        if values == before:
            return values
    raise NetlistError(f"parameter {next(n for n in values if values[n] != before[n])} is defined by itself")


def filled(words: Sequence[str], parameters: Mapping[str, str], *, kind: str) -> list[str]:
    """What a device of this kind says after its nodes, with values for names. No arithmetic is done."""
    if not parameters:
        return list(words)
    out: list[str] = []
    for word in words:
        key, sign, value = word.partition("=")
        if sign and value:
            out.append(f"{key}={_filled(value, parameters)}")
        elif word[0] == "{" or kind in _VALUED:
            out.append(_filled(word, parameters))
        else:
            out.append(word)
    return out


def _filled(word: str, parameters: Mapping[str, str], *, but: str = "") -> str:
    bare = word[1:-1] if word[0] == "{" and word[-1] == "}" else word
    if bare.lower() != but and (whole := parameters.get(bare.lower())):
        return whole

    def value(match: re.Match[str]) -> str:
        name = match.group().lower()
        given = parameters.get(name) if name != but else None
        return match.group() if given is None else given if is_number(given) else f"({given.strip('{}')})"

    text = _NAME.sub(value, word)
    if len(text) > MAX_TOKEN:
        raise NetlistError(f"the word {text[:20]!r}… has over {MAX_TOKEN} characters with its parameters filled in")
    return text[1:-1] if text[0] == "{" and is_number(text[1:-1]) else text
