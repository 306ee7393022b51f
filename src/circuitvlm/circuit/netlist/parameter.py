"""Replace the names of parameters by their values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from circuitvlm.circuit.graph import LINEAR_KINDS
from circuitvlm.circuit.netlist.arithmetic import evaluate
from circuitvlm.circuit.netlist.lexer import MAX_TOKEN, NetlistError
from circuitvlm.circuit.netlist.value import is_number

_NAME = re.compile(r"(?<![\w.])[A-Za-z_]\w*(?![\w(])")
_MAX_ROUNDS = 16


def assignments(words: Sequence[str]) -> dict[str, str]:
    """The parameters among the words (`wn=1u`), by name in lower case."""
    return {name.lower(): value for name, _, value in (word.partition("=") for word in words) if value}


def resolve(parameters: Mapping[str, str]) -> dict[str, str]:
    """The parameters with each other's names replaced, whatever their order, and arithmetic of numbers computed.

    Raises NetlistError for a circular definition.
    """
    values = dict(parameters)
    for _ in range(_MAX_ROUNDS):
        last, values = values, {n: _substitute(value, values, ignored_name=n) for n, value in values.items()}
        if values == last:
            return {name: _compute(value) for name, value in values.items()}
    name = next(name for name in values if values[name] != last[name])
    raise NetlistError(f"parameter {name}: expected no circular definition, got {parameters[name][:40]!r}")


def substitute(words: Sequence[str], parameters: Mapping[str, str], *, kind: str) -> list[str]:
    """The words after the nodes of a device of this kind, with values in place of names.

    Arithmetic of numbers in braces is computed; that with other names remains as it is.
    The kinds that have a numeric value may state a name as a word of its own (`R1 1 2 rload`); others say `w=wn`.
    """
    result = list(words)
    for i, word in enumerate(words):
        key, _, value = word.partition("=")
        if value and (parameters or value[0] == "{"):
            result[i] = f"{key}={_compute(_substitute(value, parameters))}"
        elif word[0] == "{" or (parameters and kind in LINEAR_KINDS):
            result[i] = _compute(_substitute(word, parameters))
    return result


def _compute(word: str) -> str:
    """The number that arithmetic states; another word as it is."""
    text = word[1:-1] if word[0] == "{" and word[-1] == "}" else word
    if is_number(text) or (text == word and not any(sign in text for sign in "+-*/^(")):
        return word if text == word else text
    value = evaluate(text, {})
    return word if value is None else repr(value)


def _substitute(word: str, parameters: Mapping[str, str], *, ignored_name: str = "") -> str:
    name = (word[1:-1] if word[0] == "{" and word[-1] == "}" else word).lower()
    if name != ignored_name and (value := parameters.get(name)):
        return value

    def replacement(match: re.Match[str]) -> str:
        name = match.group().lower()
        value = parameters.get(name) if name != ignored_name else None
        if value is None or is_number(value):
            return value or match.group()
        return f"({value.strip('{}')})"

    text = _NAME.sub(replacement, word)
    if len(text) > MAX_TOKEN:
        raise NetlistError(f"expected at most {MAX_TOKEN} characters in a word with parameters, got {text[:20]!r}…")
    return text[1:-1] if text[0] == "{" and is_number(text[1:-1]) else text
