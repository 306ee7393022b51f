"""Of which numbers, symbols and signs does a formula's text consist?"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from circuitvlm.circuit.quantity import MINUS_SIGNS

FUNCTIONS = frozenset(
    {"sin", "cos", "tan", "exp", "ln", "log", "sqrt", "abs", "arctan", "atan", "sinh", "cosh", "tanh"}
)
MAX_NUMBER = 60

_GREEK_WORDS = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho _ sigma tau upsilon phi"
    " chi psi omega"
)
_GREEK = _GREEK_WORDS.split()
_LETTERS = {chr(0x3B1 + i): name for i, name in enumerate(_GREEK) if name != "_"}
_LETTERS |= {chr(0x391 + i): name.capitalize() for i, name in enumerate(_GREEK) if name != "_"} | {
    "\u00b5": "mu",
    "\u2126": "Omega",
}
_NAMES = frozenset(_LETTERS.values()) | {"varepsilon", "vartheta", "varphi", "ell", "infty"}
_SIGNS = {
    **dict.fromkeys(MINUS_SIGNS, "-"),
    **dict.fromkeys("×·⋅∗∙•", "*"),
    "÷": "/",
    "∕": "/",
    "∥": "||",
    "‖": "||",
    "√": "\\sqrt ",
    "\u2061": "",
    "\u2062": "*",
    "\u00a0": " ",
    "\u202f": " ",
    "\u2009": " ",
    "\u200b": "",
    "（": "(",
    "）": ")",
    "＝": "=",
}
_HIGH = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_LOW = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_SPACES = re.compile(
    r"\\(?:left|right|[bB]igg?[lr]?|displaystyle|textstyle|limits|quad|qquad|[,;:! ])(?![A-Za-z])|[~&]|\\\\"
)
_WRAPPERS = frozenset(
    {
        "text",
        "mathrm",
        "mathbf",
        "mathit",
        "mathsf",
        "mathcal",
        "operatorname",
        "textrm",
        "textbf",
        "textit",
        "rm",
        "bm",
        "boldsymbol",
        "mbox",
    }
)
_COMMANDS = {
    "cdot": "*",
    "times": "*",
    "ast": "*",
    "div": "/",
    "parallel": "||",
    "Vert": "||",
    "lVert": "||",
    "lvert": "|",
    "rvert": "|",
    "vert": "|",
    "mid": "|",
    "frac": "frac",
    "dfrac": "frac",
    "tfrac": "frac",
    "cfrac": "frac",
    "equiv": "=",
    "lbrace": "{",
    "rbrace": "}",
    "approx": "=",
    "triangleq": "=",
    "Rightarrow": "=",
    "implies": "=",
    "slash": "/",
    "over": "over",
}
_NUMBER = re.compile(r"(?:\d{1,3}(?:,\d{3})+(?![\d,])(?:\.\d*)?|\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3}(?![\w.]))?")
_RUN = re.compile(r"[A-Za-z][A-Za-z0-9]*'?")
_PIECES = re.compile(r"j(?=omega|w)|[A-Z][a-z]*\d*'?|[a-z]+\d*'?|\d+")
_PLAIN_SUBSCRIPT = re.compile(r"\d+|[A-Za-z]+\d*")
_OPERATORS = re.compile(r"\*\*|\|\||//|[-+*/^=()\[\]{}|≈:]")
_PROSE = re.compile(r"(?<![\w\\{])(?:[A-Za-z]?[a-z]{2,}\s+[a-z]{3,}|[A-Z_]{5,}|[Tt]he|[Nn]ot?|[Cc]annot)(?![\w}(])")
_IMAGINARY = frozenset({"j"})


class ExpressionError(ValueError):
    """A text that states no formula, or one beyond the bounds."""


@dataclass(frozen=True, slots=True)
class Token:
    """`kind`: number, name, j, function, frac, open, close, or the sign itself. `glued`: no space before it.

    `known`: a name that the reader was told.
    """

    kind: str
    text: str
    number: Fraction = Fraction(0)
    glued: bool = False
    known: bool = False


def canonical(name: str) -> str:
    """A symbol's name without underscores, braces, spaces and commands: R_{\\text{int}} is Rint, ω_0 is omega0."""
    name = re.sub(r"\\(?:" + "|".join(_WRAPPERS) + r")(?![A-Za-z])", "", name)
    name = "".join(_LETTERS.get(c, c) for c in name.translate(_LOW))
    return re.sub(r"[\s_{}\\,$<>]", "", name)


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

    def find(self, word: str) -> str | None:
        """The symbol of that name, or the only one that differs in case alone."""
        if word in self._names:
            return word
        return self._lower.get(word.lower()) if self._any_case else None

    def cut(self, run: str) -> list[str] | None:
        """The run as the fewest symbols, s, omega and j; None where something is left over."""
        best: list[list[str] | None] = [[]] + [None] * len(run)
        for end in range(1, len(run) + 1):
            for begin in range(max(0, end - max(self._longest, 5)), end):
                before, piece = best[begin], run[begin:end]
                found = piece if piece in _ALWAYS else self.find(piece)
                if before is not None and found and (best[end] is None or len(before) + 1 < len(best[end] or ())):
                    best[end] = [*before, found]
        return best[-1]


_ALWAYS = frozenset({"s", "j", "omega", "w", "pi"})


def tokens(text: str, vocabulary: Vocabulary | None) -> Iterator[Token]:
    """The tokens of a formula. Raises ExpressionError for signs that no formula has, and for prose."""
    text = normal(text)
    _refuse_prose(text, vocabulary)
    at, glued = 0, False
    while at < len(text):
        char = text[at]
        if char.isspace():
            at, glued = at + 1, False
            continue
        if match := _NUMBER.match(text, at):
            yield _number(match[0], glued=glued)
            at = match.end()
        elif char == "\\" or char.isalpha():
            found, at = _word(text, at, vocabulary, glued=glued)
            yield from found
        elif match := _OPERATORS.match(text, at):
            yield _operator(match[0], glued=glued)
            at = match.end()
        else:
            raise ExpressionError(f"{char!r} has no meaning in a formula (after {text[max(0, at - 20) : at]!r})")
        glued = True


def normal(text: str) -> str:
    """The text with one spelling for each sign, and without commands that only place things."""
    if not text.isascii():
        text = "".join(_SIGNS.get(c, c) for c in text)
        text = re.sub(r"[⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺]+", lambda m: "^{" + m[0].translate(_HIGH) + "}", text)
        text = re.sub(r"[₀₁₂₃₄₅₆₇₈₉]+", lambda m: "_{" + m[0].translate(_LOW) + "}", text)
    return _SPACES.sub(" ", text)


def _refuse_prose(text: str, vocabulary: Vocabulary | None) -> None:
    """Raises for two words side by side, or a shouted one: a product of them would be no formula."""
    for match in _PROSE.finditer(text):
        words = match[0].split()
        if not any(word in FUNCTIONS or word in _NAMES or (vocabulary and vocabulary.find(word)) for word in words):
            raise ExpressionError(f"{match[0][:40]!r} is prose, not a formula")


def _number(text: str, *, glued: bool) -> Token:
    if len(text) > MAX_NUMBER:
        raise ExpressionError(f"a number of {len(text)} characters; at most {MAX_NUMBER} are read")
    return Token("number", text, number=Fraction(text.replace(",", "").removesuffix(".")), glued=glued)


def _operator(sign: str, *, glued: bool) -> Token:
    if sign in "([{":
        return Token("open", sign, glued=glued)
    if sign in ")]}":
        return Token("close", sign, glued=glued)
    return Token({"**": "^", "//": "||", "≈": "=", ":": "="}.get(sign, sign), sign, glued=glued)


def _word(text: str, at: int, vocabulary: Vocabulary | None, *, glued: bool) -> tuple[list[Token], int]:
    """The symbols, or the command, that begin here, and where they end."""
    name, end = _command(text, at) if text[at] == "\\" else ("", at)
    if name in _COMMANDS:
        if name == "over":
            raise ExpressionError("\\over is not read; wanted \\frac")
        kind = _COMMANDS[name]
        return [Token({"{": "open", "}": "close"}.get(kind, kind), kind, glued=glued)], end
    if name in ("|", "{", "}"):
        return [
            Token({"|": "||", "{": "open", "}": "close"}[name], {"{": "{", "}": "}"}.get(name, "||"), glued=glued)
        ], end
    if name in FUNCTIONS:
        return _called(name, text, end, glued=glued)
    if name in _WRAPPERS:
        run, end = _group(text, end)
        run = canonical(run)
        if not run:
            return [], end
    elif name:
        if name not in _NAMES or name == "infty":
            raise ExpressionError(f"the command \\{name} is not read")
        run = name.removeprefix("var")
    elif text[at] in _LETTERS:
        run, end = _LETTERS[text[at]], at + 1
    elif match := _RUN.match(text, at):
        run, end = match[0], match.end()
    else:
        raise ExpressionError(f"{text[at]!r} has no meaning in a formula")
    if run.removesuffix("10") in FUNCTIONS and (vocabulary is None or vocabulary.find(run) is None):
        return _called(run, text, end, glued=glued)
    subscript, end = _subscript(text, end)
    names = _atoms(run, subscript, vocabulary)
    made = [_name(part, vocabulary, glued=glued or i > 0) for i, part in enumerate(names)]
    return made, end


def _called(name: str, text: str, end: int, *, glued: bool) -> tuple[list[Token], int]:
    """A function; a logarithm with its base, 0 for the natural one."""
    base, end = _subscript(text, end)
    if base is None and name.endswith("10"):
        name, base = name.removesuffix("10"), "10"
    if base is not None and not (name == "log" and base.isdigit() and 2 <= int(base[:9]) <= 1000):
        raise ExpressionError(f"{name} with the subscript {base[:20]!r} is not read")
    called = {"atan": "arctan", "ln": "log"}.get(name, name)
    return [Token("function", called, number=Fraction(base or 0), glued=glued)], end


def _name(part: str, vocabulary: Vocabulary | None, *, glued: bool) -> Token:
    known = vocabulary is not None and vocabulary.find(part) is not None
    if part.isdigit():
        return _number(part, glued=glued)
    if part in _IMAGINARY and not known:
        return Token("j", part, glued=glued)
    return Token("name", "omega" if part == "w" and not known else part, glued=glued, known=known)


def _command(text: str, at: int) -> tuple[str, int]:
    match = re.compile(r"[A-Za-z]+|.").match(text, at + 1)
    if match is None:
        raise ExpressionError("a backslash at the end of the formula")
    return match[0], match.end()


def _group(text: str, at: int) -> tuple[str, int]:
    """The text of a group in braces; nothing where there is none."""
    while at < len(text) and text[at] == " ":
        at += 1
    if at >= len(text) or text[at] != "{":
        return "", at
    depth = 0
    for end in range(at, len(text)):
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        if not depth:
            return text[at + 1 : end], end + 1
    raise ExpressionError("a brace is never closed")


def _subscript(text: str, at: int) -> tuple[str | None, int]:
    """What stands after an underscore: a group, a command, digits, or letters up to the next symbol."""
    if at >= len(text) or text[at] != "_":
        return None, at
    at += 1
    if at < len(text) and text[at] == "{":
        inner, end = _group(text, at)
        return canonical(inner), end
    if at < len(text) and text[at] == "\\":
        name, end = _command(text, at)
        if name in _WRAPPERS:
            inner, end = _group(text, end)
            return canonical(inner), end
        return name, end
    match = _PLAIN_SUBSCRIPT.match(text, at)
    if match is None:
        raise ExpressionError("an underscore without a subscript")
    word, end = match[0], match.end()
    if end < len(text) and text[end] == "_" and len(word) > 1 and not word[-1].isdigit():
        word, end = word[:-1], end - 1  # g_mR_D: the last letter begins the next symbol
    if (turn := re.search(r"[a-z](?=[A-Z])", word)) is not None:
        end -= len(word) - turn.end()
        word = word[: turn.end()]
    return word, end


def _atoms(run: str, subscript: str | None, vocabulary: Vocabulary | None) -> list[str]:
    """The symbols of a run of letters and digits, of which the last has the subscript."""
    whole = run + (subscript or "")
    if vocabulary is not None:
        if found := vocabulary.find(whole):
            return [found]
        if subscript is None:
            if parts := vocabulary.cut(run):
                return parts
        else:
            for begin in range(1, len(run)):
                if (found := vocabulary.find(run[begin:] + subscript)) and (parts := vocabulary.cut(run[:begin])):
                    return [*parts, found]
    if run in _NAMES:
        return [whole]
    pieces = _PIECES.findall(run)
    return [*pieces[:-1], pieces[-1] + (subscript or "")]
