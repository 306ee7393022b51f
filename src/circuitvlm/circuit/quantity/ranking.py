"""Rank the quantities of a text to find the one that is its answer."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter

from circuitvlm.circuit.quantity.parser import ParsedQuantity, QuantityParser
from circuitvlm.circuit.quantity.tokens import Token


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_STRONG_MARKS = frozenset("=≈→")
_WEAK_MARKS = _words("is are was be equals equal gives yields becomes so thus hence therefore")
_FILLERS = _words(
    "approximately approx about roughly around nearly ca exactly then to also the a an just simply only equal"
    " : < > | [ ( line bold box"
)
_PREMISE_WORDS = _words("since because if when assuming given")
_CONDITION_WORDS = _words("with for at where using through across of")
_LABELS = _words(
    "node nodes step figure fig loop mesh branch resistor terminal terminals eq equation pin case stage part"
    " question problem port section source element example table option"
)
_FUNCTIONS = _words(
    "cos sin tan cot sec csc log log10 log_10 log2 log_2 ln lg exp sinh cosh tanh arctan atan arcsin arccos"
)
_RANGE_WORDS = _words("to or till until through … ~ ..")
_CLAUSE_ENDS = frozenset((",", ";", ".", "line"))
_ANSWER_RANK, _STRONG_RANK, _UNIT_RANK, _WEAK_RANK, _BARE_RANK = 10, 8, 6, 4, 2
_ANSWER_TOKENS, _PREMISE_TOKENS, _CONDITION_TOKENS = 4, 12, 2
"""For how many tokens after such a word a mark belongs to it."""


def find_answer(tokens: Sequence[Token]) -> ParsedQuantity | None:
    """Return the quantity that the text concludes with, or None.

    Every quantity has a rank, and of the best rank the last one counts. The ranks, the best first:

    - The quantity right after the last `Answer:`.
    - A quantity right after a mark of conclusion: `=`, `≈` or an arrow, with or without a unit; `is`, `:`, `so` or
      bold type, with a unit.
    - Other quantities with a unit, then those without a unit after a weaker mark, then all others.
    - Asides in brackets, premises (`since R1 = 5 k`, `at t = 0`), and members of sums, products and ranges that are
      not calculated.

    Numbers of nodes, steps and lists, tolerances and digits of names are no quantities. The last \\boxed{} or `Answer:`
    with a quantity excludes the quantities outside it. None too where the best one is no single value: an end of a
    range, a member of arithmetic that is not calculated, a factor or an argument of a function.
    """
    ranker = _QuantityRanker(tokens)
    for start, end in reversed([(0, len(tokens)), *ranker.answers, *ranker.boxes]):
        quantities = [entry for entry in ranker.quantities if start <= entry[2] < end]
        if quantities:
            _, quantity, start = max(reversed(quantities), key=itemgetter(0))
            return None if start in ranker.partial_values else quantity
    return None


class _QuantityRanker:
    """The quantities of a text with their rank and the index of their first token, from one pass over the tokens.

    `answers` and `boxes` are the ranges of tokens after `Answer:` and in \\boxed{}. `partial_values` are the indices of
    quantities that are no single value.
    """

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.parser = QuantityParser(tokens)
        self.quantities: list[tuple[int, ParsedQuantity, int]] = []
        self.answers: list[tuple[int, int]] = []
        self.boxes: list[tuple[int, int]] = []
        self.partial_values: set[int] = set()
        self.argument_places = _find_arguments(tokens)
        self.mark = 0  # rank of the mark right before this token
        self.is_doubtful = False  # the mark belongs to a premise
        self.bracket_depth = 0
        self.is_bold = False
        self.answer_tokens = self.premise_tokens = self.condition_tokens = 0  # how many more may follow
        self.quantity_end = -1
        index = 0
        while index < len(tokens):
            index = self._add_quantity(index) or self._skip_token(index)

    def _add_quantity(self, index: int) -> int | None:
        """Rank the quantity that starts here, if one does, and return the index after it."""
        has_sign = self.parser.kind(index) in ("-", "+")
        if not self.parser.is_number_start(index + has_sign) or (has_sign and not self._is_sign(index)):
            return None
        previous_token = self.parser.token(index - 1)
        is_in_name = self.parser.token(index).is_adjacent and previous_token.kind in ("word", "number", "#")
        is_excluded = is_in_name or self._is_enumerator(index) or previous_token.kind in ("^", "?")
        if is_excluded or (quantity := self.parser.parse_quantity(index)) is None:
            return None
        is_tolerance = previous_token.kind == "±" and self.quantity_end == index - 1
        if not self._is_label(index, quantity) and not is_tolerance:
            if self._is_part(index, quantity):
                self.partial_values.add(index)
            self.quantities.append((self._rank(index, quantity), quantity, index))
        self.mark, self.is_doubtful, self.quantity_end = 0, False, quantity.end
        return quantity.end

    def _is_part(self, start: int, quantity: ParsedQuantity) -> bool:
        """Whether this is no value of its own: of a function, of arithmetic, or of a range, whose start is one too."""
        first, last = start - 1, quantity.end
        while self.parser.kind(first) == "(":
            first -= 1
        while self.parser.kind(last) == ")":
            last += 1
        before, after = self.parser.token(first), self.parser.token(last)
        is_second = self.quantity_end == first and bool(self.quantities)
        last_start = self.quantities[-1][2] if is_second else 0
        is_between = before.text == "and" and self.parser.token(last_start - 1).text.lower() == "between"
        is_range = is_second and (before.text.lower() in _RANGE_WORDS or is_between)
        if is_range:
            self.partial_values.add(last_start)
        is_member = (
            (before.kind in ("*", "/", "^") and first > 0)
            or (before.kind in ("+", "-") and self.quantity_end == first)
            or self._is_operand(0, last)
        )
        return is_range or start in self.argument_places or after.text.lower() in _FUNCTIONS or is_member

    def _is_sign(self, index: int) -> bool:
        """Whether this plus or minus belongs to the number after it: not in 5 - 3, node-3 and --3."""
        previous_token = self.parser.token(index - 1)
        return (
            previous_token.kind not in ("number", ")", "-", "+", "?")
            and self.quantity_end != index
            and not (previous_token.kind == "word" and self.parser.token(index).is_adjacent)
        )

    def _is_label(self, index: int, quantity: ParsedQuantity) -> bool:
        """Whether this is the 3 of `node 3`."""
        follows_label = self.parser.token(index - 1).text.lower() in _LABELS
        return follows_label and (quantity.unit is None or self.parser.kind(quantity.end) == "=")

    def _is_enumerator(self, index: int) -> bool:
        """Whether this is the 1 of a line that begins with `1.` or `1)`."""
        number, point, next_token = (self.parser.token(index + offset) for offset in range(3))
        if number.kind != "number" or len(number.text) > 2 or point.kind not in (".", ")") or not point.is_adjacent:
            return False
        if next_token.kind in ("end", "line", "bold", "end of box") or self.parser.kind(index + 3) in ("end", "line"):
            return False
        while self.parser.kind(index - 1) in ("bold", "#"):
            index -= 1
        return self.parser.kind(index - 1) in ("line", "end")

    def _rank(self, index: int, quantity: ParsedQuantity) -> int:
        if self.mark and quantity.unit is not None:
            rank = max(self.mark, _STRONG_RANK)
        else:
            rank = self.mark or (_BARE_RANK if quantity.unit is None else _UNIT_RANK)
        is_aside = self.bracket_depth or self.is_doubtful or self._is_operand(index, quantity.end)
        return min(rank, _STRONG_RANK) // 2 - 1 if is_aside else rank

    def _is_operand(self, start: int, end: int) -> bool:
        """Whether an operation that was not calculated joins this number to another."""
        previous_kind, next_kind = self.parser.kind(start - 1), self.parser.kind(end)
        return (
            previous_kind in ("*", "/", "^")
            or (previous_kind in ("+", "-") and start > 1)
            or next_kind in ("*", "/", "^")
            or (next_kind in ("+", "-") and self.parser.is_number_start(end + 1))
        )

    def _skip_token(self, index: int) -> int:
        """Note what a token that starts no quantity means for the next quantity, and return the index after it."""
        kind, text, _ = self.parser.token(index)
        word = text.lower() if kind == "word" else kind
        if kind == "^":
            return self._skip_power(index + 1)
        self._count_brackets(word, index)
        if word == "answer":
            self.answer_tokens = _ANSWER_TOKENS
        elif self.answer_tokens and word in (":", "=", "is", ">", "line"):
            self._set_mark(_ANSWER_RANK)
            self.answers.append((index, len(self.parser.tokens)))
            self.answer_tokens = 0
        elif word in _STRONG_MARKS:
            self._set_mark(_STRONG_RANK)
        elif word in _WEAK_MARKS or word == "box" or self._is_colon(word, index) or self._opens_bold(word):
            self._set_mark(max(self.mark, _WEAK_RANK))
        elif word not in _FILLERS:
            self.mark = 0
        self._count_premise(word)
        self.answer_tokens -= self.answer_tokens > 0
        return index + 1

    def _set_mark(self, rank: int) -> None:
        """Set the mark of the next quantity, which is doubtful if the mark belongs to a premise or a condition."""
        self.is_doubtful = self.premise_tokens > 0 or (self.condition_tokens > 0 and rank == _STRONG_RANK)
        self.mark, self.premise_tokens, self.condition_tokens = rank, 0, 0

    def _count_premise(self, word: str) -> None:
        if word in _PREMISE_WORDS:
            self.premise_tokens = _PREMISE_TOKENS
        elif word in _CONDITION_WORDS:
            self.condition_tokens = _CONDITION_TOKENS
        elif word in _CLAUSE_ENDS:
            self.premise_tokens = self.condition_tokens = 0
        else:
            self.premise_tokens = max(self.premise_tokens - 1, 0)
            self.condition_tokens = max(self.condition_tokens - 1, 0)

    def _opens_bold(self, word: str) -> bool:
        self.is_bold ^= word == "bold"
        return word == "bold" and self.is_bold

    def _count_brackets(self, kind: str, index: int) -> None:
        """Count the open brackets and note the boxes; a bracket right after a mark is no aside."""
        if kind == "(" and not (self.mark and not self.bracket_depth):
            self.bracket_depth += 1
        elif kind == ")" and self.bracket_depth:
            self.bracket_depth -= 1
        elif kind == "line":
            self.bracket_depth = 0
        elif kind == "box":
            self.boxes.append((index, len(self.parser.tokens)))
        elif kind == "end of box" and self.boxes:
            self.boxes[-1] = (self.boxes[-1][0], index)

    def _is_colon(self, word: str, index: int) -> bool:
        """Whether this is a colon, but not that of 1:2."""
        is_between_numbers = self.parser.kind(index - 1) == "number" == self.parser.kind(index + 1)
        return word == ":" and not (is_between_numbers and self.parser.token(index).is_adjacent)

    def _skip_power(self, index: int) -> int:
        """Return the index after an unread power: the 3 of x^3, or a short bracket, as in x^(...)."""
        if self.parser.kind(index) != "(":
            return index + (self.parser.kind(index) in ("-", "+")) + (self.parser.kind(index) == "number")
        return next((i for i in range(index, index + 8) if self.parser.kind(i) == ")"), index) + 1


def _find_arguments(tokens: Sequence[Token]) -> set[int]:
    """The indices of the tokens inside the brackets of a function such as cos(."""
    places: set[int] = set()
    depths: list[bool] = []  # for each open bracket, whether it or one around it is a function's
    for index, token in enumerate(tokens):
        if token.kind == "(":
            is_function = index > 0 and tokens[index - 1].text.lower() in _FUNCTIONS
            depths.append(is_function or (bool(depths) and depths[-1]))
        elif token.kind == ")" and depths:
            depths.pop()
        elif token.kind == "line":
            depths.clear()
        elif depths and depths[-1]:
            places.add(index)
    return places
