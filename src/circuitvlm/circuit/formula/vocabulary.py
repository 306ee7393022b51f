"""Split a run of letters and digits into the symbols of a formula."""

from __future__ import annotations

import re
from collections.abc import Iterable

from circuitvlm.circuit.formula.notation import SYMBOL_NAMES, canonical_name

_SYMBOL = re.compile(r"j(?=omega|w|\d)|gm(?=[rR])|[A-Z][a-z]*\d*'?|[a-z]+\d*'?|\d+")
_FREQUENCY_SYMBOLS = frozenset({"s", "j", "omega", "w", "pi"})
_RESISTOR_AND_REACTANCE = re.compile(r"R_(?!AC$|DC$|CC$)([A-Z])([CL])$")


class Vocabulary:
    """The symbols that a formula may use, looked up by name, by name in any case, or as parts of a run of letters.

    With `any_case` false, only the exact case counts.
    """

    def __init__(self, symbols: Iterable[str], *, any_case: bool = True) -> None:
        self._names = {canonical_name(symbol) for symbol in symbols} - {""}
        self._by_lowercase: dict[str, str | None] = {}
        for name in self._names | {"s"}:
            key = name.lower()
            self._by_lowercase[key] = None if key in self._by_lowercase else name
        self._any_case = any_case
        self._max_length = max(map(len, self._names), default=1)

    def union(self, symbols: Iterable[str]) -> Vocabulary:
        """Return a vocabulary with these symbols as well."""
        return Vocabulary({*self._names, *symbols}, any_case=self._any_case)

    def find(self, word: str) -> str | None:
        """Return the symbol of that name, or the only symbol that differs in case alone."""
        if word in self._names:
            return word
        return self._by_lowercase.get(word.lower()) if self._any_case else None

    def split(self, run: str) -> list[str] | None:
        """Split the run into the fewest symbols, with s, omega, j and pi allowed; None if letters remain."""
        # For each prefix of the run: the number of symbols, where the last one starts, and its name.
        shortest: list[tuple[int, int, str] | None] = [(0, 0, "")]
        for end in range(1, len(run) + 1):
            splits = []
            for start in range(max(0, end - max(self._max_length, 5)), end):
                prefix, piece = shortest[start], run[start:end]
                if prefix is not None and (name := piece if piece in _FREQUENCY_SYMBOLS else self.find(piece)):
                    splits.append((prefix[0] + 1, start, name))
            shortest.append(min(splits, default=None))
        symbols: list[str] = []
        end = len(run)
        while end and (final := shortest[end]) is not None:
            symbols.append(final[2])
            end = final[1]
        return None if end else symbols[::-1]


def split_symbols(run: str, subscript: str, vocabulary: Vocabulary | None, *, is_braced: bool) -> list[str]:
    """Return the symbols of a run; the last one has the subscript.

    `is_braced`: the subscript is in braces. Without braces its end may be the next symbol (`R_LC` is RL*C).
    """
    if vocabulary is not None and (symbols := _split_known(run, subscript, vocabulary, is_braced=is_braced)):
        return symbols
    if not is_braced and (match := _RESISTOR_AND_REACTANCE.match(f"{run}_{subscript}")):
        return [run + match[1], match[2]]
    if not is_braced and run in SYMBOL_NAMES and re.fullmatch(r"[a-z][st]", subscript):
        return [run + subscript[0], subscript[1]]  # \omega_nt
    if run in SYMBOL_NAMES:
        return [run + subscript]
    pieces = _SYMBOL.findall(run)
    return [*pieces[:-1], pieces[-1] + subscript] if pieces else []


def _split_known(run: str, subscript: str, vocabulary: Vocabulary, *, is_braced: bool) -> list[str] | None:
    """Split the run into symbols of the vocabulary only; None if that is impossible."""
    if name := vocabulary.find(run + subscript):
        return [name]
    if not subscript:
        return vocabulary.split(run)
    for start in range(1, len(run)):
        if (name := vocabulary.find(run[start:] + subscript)) and (symbols := vocabulary.split(run[:start])):
            return [*symbols, name]
    for end in () if is_braced else range(len(subscript) - 1, 0, -1):
        if (name := vocabulary.find(run + subscript[:end])) and (symbols := vocabulary.split(subscript[end:])):
            return [name, *symbols]
    return None
