"""Which symbols does a run of letters and digits consist of?"""

from __future__ import annotations

import re
from collections.abc import Iterable

from circuitvlm.circuit.formula.signs import NAMES, canonical

_PIECES = re.compile(r"j(?=omega|w|\d)|gm(?=[rR])|[A-Z][a-z]*\d*'?|[a-z]+\d*'?|\d+")
_ALWAYS = frozenset({"s", "j", "omega", "w", "pi"})
_CAPACITOR = re.compile(r"R_(?!AC$|DC$|CC$)([A-Z])([CL])$")


class Vocabulary:
    """The symbols that a reader knows, found exactly, by case, or as parts of a run of letters."""

    def __init__(self, symbols: Iterable[str], *, any_case: bool = True) -> None:
        self._names = {canonical(symbol) for symbol in symbols} - {""}
        self._lower: dict[str, str | None] = {}
        for name in self._names | {"s"}:
            key = name.lower()
            self._lower[key] = None if key in self._lower else name
        self._any_case = any_case
        self._longest = max(map(len, self._names), default=1)

    def joined(self, symbols: Iterable[str]) -> Vocabulary:
        """The same reader with more symbols."""
        return Vocabulary({*self._names, *symbols}, any_case=self._any_case)

    def find(self, word: str) -> str | None:
        """The symbol of that name, or the only one that differs in case alone."""
        if word in self._names:
            return word
        return self._lower.get(word.lower()) if self._any_case else None

    def cut(self, run: str) -> list[str] | None:
        """The run as the fewest symbols, s, omega and j; None where something is left over."""
        fewest: list[tuple[int, int, str] | None] = [(0, 0, "")]  # how many, where the last begins, its name
        for end in range(1, len(run) + 1):
            ways = []
            for begin in range(max(0, end - max(self._longest, 5)), end):
                before, piece = fewest[begin], run[begin:end]
                if before is not None and (found := piece if piece in _ALWAYS else self.find(piece)):
                    ways.append((before[0] + 1, begin, found))
            fewest.append(min(ways, default=None))
        parts: list[str] = []
        end = len(run)
        while end and (last := fewest[end]) is not None:
            parts.append(last[2])
            end = last[1]
        return None if end else parts[::-1]


def atoms(run: str, subscript: str, vocabulary: Vocabulary | None, *, loose: bool = False) -> list[str]:
    """The symbols of a run, of which the last has the subscript.

    `loose`: the subscript stood in no braces, so that its end may be the next symbol (`R_LC`).
    """
    if vocabulary is not None and (known := _known(run, subscript, vocabulary, loose=loose)):
        return known
    if loose and (split := _CAPACITOR.match(f"{run}_{subscript}")):
        return [run + split[1], split[2]]
    if loose and run in NAMES and re.fullmatch(r"[a-z][st]", subscript):
        return [run + subscript[0], subscript[1]]  # \omega_nt
    if run in NAMES:
        return [run + subscript]
    pieces = _PIECES.findall(run)
    return [*pieces[:-1], pieces[-1] + subscript] if pieces else []


def _known(run: str, subscript: str, vocabulary: Vocabulary, *, loose: bool) -> list[str] | None:
    """The run as symbols that are all known; None where that does not go up."""
    if found := vocabulary.find(run + subscript):
        return [found]
    if not subscript:
        return vocabulary.cut(run)
    for begin in range(1, len(run)):
        if (found := vocabulary.find(run[begin:] + subscript)) and (parts := vocabulary.cut(run[:begin])):
            return [*parts, found]
    for end in range(len(subscript) - 1, 0, -1) if loose else ():
        if (found := vocabulary.find(run + subscript[:end])) and (parts := vocabulary.cut(subscript[end:])):
            return [found, *parts]
    return None
