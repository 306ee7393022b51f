"""Which of the quantities that a text states is its answer?"""

from __future__ import annotations

from collections.abc import Sequence

from circuitvlm.circuit.quantity.reader import Reader, Reading
from circuitvlm.circuit.quantity.tokens import Token


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_STRONG = frozenset("=≈→")
_WEAK = _words("is are was be equals equal gives yields becomes so thus hence therefore")
_FILLER = _words(
    "approximately approx about roughly around nearly ca exactly then to also the a an just simply only equal"
)
_FILLER |= _words(": < > | [ ( line bold box")
_SINCE = _words("since because if when assuming given")
_WITH = _words("with for at where using through across of")
_LABEL = _words(
    "node nodes step figure fig loop mesh branch resistor terminal terminals eq equation pin case stage part"
)
_LABEL |= _words("question problem port section source element example table option")
_DIRECT, _MARKED, _UNITED, _WEAKLY, _BARE = 10, 8, 6, 4, 2
_CLAUSE_ENDS = frozenset((",", ";", ".", "line"))


def answer_of(tokens: Sequence[Token]) -> Reading | None:
    """The quantity that the text concludes with, or None.

    Every quantity is ranked, and of the best rank the last one wins. First comes what stands right after the last
    `Answer:`. Then what stands right after a mark of conclusion: `=`, `≈` or an arrow, with or without a unit; `is`,
    `:`, `so` or bold type, with a unit. Then others with a unit, then those without one after a weaker mark, then the
    rest. Asides in brackets, premises (`since R1 = 5 k`, `at t = 0`) and members of sums, products and ranges that are
    not carried out come behind all else. Numbers of nodes, steps and lists, tolerances and digits of names are no
    quantities. The last \\boxed{} or `Answer:` that has quantities hides those outside of it.
    """
    scan = _Scan(tokens)
    scan.run()
    found = scan.ranked
    for begin, end in reversed(scan.regions):
        inside = [(rank, reading) for rank, reading, start in found if begin <= start < end]
        if inside:
            return max(enumerate(inside), key=lambda item: (item[1][0], item[0]))[1][1]
    return None


class _Scan:
    """One pass over the tokens, that keeps what was last said before each quantity."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.tokens = tokens
        self.reader = Reader(tokens)
        self.ranked: list[tuple[int, Reading, int]] = []
        self.regions = [(0, len(tokens))]
        self.boxes: list[tuple[int, int]] = []
        self.mark = 0
        self.depth = 0
        self.bold = False
        self.answering = 0
        self.premise = self.naming = 0
        self.doubtful = False
        self.last_end = -1

    def run(self) -> None:
        index = 0
        while index < len(self.tokens):
            index = self._quantity(index) or self._passed(index)
        self.regions += self.boxes

    def _quantity(self, index: int) -> int | None:
        """The token after the quantity that begins here, if one does."""
        signed = self.reader.at(index).kind in ("-", "+")
        if not self.reader.starts(index + signed) or (signed and not self._is_sign(index)):
            return None
        if self._is_enumerator(index) or self.reader.at(index - 1).kind in ("^", "?"):
            return None
        before = self.reader.at(index - 1)
        if self.reader.at(index).glued and before.kind in ("word", "number", "#"):
            return None
        reading = self.reader.read(index)
        if reading is None:
            return None
        if not self._is_label(index, reading) and not (before.kind == "±" and self.last_end == index - 1):
            self.ranked.append((self._rank(index, reading), reading, index))
        self.mark, self.doubtful, self.last_end = 0, False, reading.end
        return reading.end

    def _is_sign(self, index: int) -> bool:
        """Whether this plus or minus belongs to the number after it: not in 5 - 3, node-3 and --3."""
        before = self.reader.at(index - 1)
        glued = self.tokens[index].glued
        return (
            before.kind not in ("number", ")", "-", "+", "?")
            and self.last_end != index
            and not (before.kind == "word" and glued)
        )

    def _is_label(self, index: int, reading: Reading) -> bool:
        """Whether this is the 3 of `node 3`."""
        named = self.reader.at(index - 1).text.lower() in _LABEL
        return named and (reading.unit is None or self.reader.at(reading.end).kind == "=")

    def _is_enumerator(self, index: int) -> bool:
        """Whether this is the 1 of a line that begins with `1.` or `1)`."""
        number, point, following = (self.reader.at(index + offset) for offset in range(3))
        if number.kind != "number" or len(number.text) > 2 or point.kind not in (".", ")") or not point.glued:
            return False
        if following.kind in ("end", "line", "bold", "end of box") or self.reader.at(index + 3).kind in ("end", "line"):
            return False
        while self.reader.at(index - 1).kind in ("bold", "#"):
            index -= 1
        return self.reader.at(index - 1).kind in ("line", "end")

    def _rank(self, index: int, reading: Reading) -> int:
        if self.mark == _MARKED or (self.mark and reading.unit is not None):
            rank = max(self.mark, _MARKED)
        elif self.mark:
            rank = self.mark
        else:
            rank = _BARE if reading.unit is None else _UNITED
        clean = not (self.depth or self.doubtful or self._entangled(index, reading.end))
        return rank if clean else min(rank, _MARKED) // 2 - 1

    def _entangled(self, start: int, end: int) -> bool:
        """Whether an operation that was not carried out joins this number to another."""
        before, after = self.reader.at(start - 1).kind, self.reader.at(end).kind
        joined = after in ("+", "-") and self.reader.starts(end + 1)
        return before in ("*", "/", "^") or (before in ("+", "-") and start > 1) or after in ("*", "/", "^") or joined

    def _passed(self, index: int) -> int:
        """The token after one that is no quantity, once what it means for the next quantity is noted."""
        kind, text, _ = self.tokens[index]
        word = text.lower() if kind == "word" else kind
        if kind == "^":
            return self._past_power(index + 1)
        self._bracket(word, index)
        if word == "answer":
            self.answering = 4
        elif self.answering and word in (":", "=", "is", ">", "line"):
            self._note(_DIRECT)
            self.regions.append((index, len(self.tokens)))
            self.answering = 0
        elif word in _STRONG:
            self._note(_MARKED)
        elif word in _WEAK or (word == ":" and not self._is_ratio(index)) or word == "box" or self._opens_bold(word):
            self._note(max(self.mark, _WEAKLY))
        elif word not in _FILLER:
            self.mark = 0
        self._premise(word)
        self.answering -= self.answering > 0
        return index + 1

    def _note(self, mark: int) -> None:
        """A mark: what follows is doubtful if the mark belongs to a premise."""
        self.doubtful = self.premise > 0 or (self.naming > 0 and mark == _MARKED)
        self.mark, self.premise, self.naming = mark, 0, 0

    def _premise(self, word: str) -> None:
        if word in _SINCE:
            self.premise = 12
        elif word in _WITH:
            self.naming = 2
        elif word in _CLAUSE_ENDS:
            self.premise = self.naming = 0
        else:
            self.premise, self.naming = max(self.premise - 1, 0), max(self.naming - 1, 0)

    def _opens_bold(self, word: str) -> bool:
        if word == "bold":
            self.bold = not self.bold
        return word == "bold" and self.bold

    def _bracket(self, kind: str, index: int) -> None:
        """Counts the brackets around, and the boxes; a bracket right after a mark holds no aside."""
        if kind == "(" and not (self.mark and not self.depth):
            self.depth += 1
        elif kind == ")" and self.depth:
            self.depth -= 1
        elif kind == "line":
            self.depth = 0
        elif kind == "box":
            self.boxes.append((index, len(self.tokens)))
        elif kind == "end of box" and self.boxes:
            self.boxes[-1] = (self.boxes[-1][0], index)

    def _is_ratio(self, index: int) -> bool:
        return self.reader.at(index - 1).kind == "number" == self.reader.at(index + 1).kind and self.tokens[index].glued

    def _past_power(self, index: int) -> int:
        """A power that was not read: 3 in x^3, or what the bracket of x^(...) holds, if it is short."""
        if self.reader.at(index).kind != "(":
            return index + (self.reader.at(index).kind in ("-", "+")) + (self.reader.at(index).kind == "number")
        closing = (i for i in range(index, index + 8) if self.reader.at(i).kind == ")")
        return next(closing, index) + 1
