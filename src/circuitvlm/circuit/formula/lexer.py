"""Of which numbers, symbols and signs does a formula's text consist?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from circuitvlm.circuit.formula.names import Vocabulary, atoms
from circuitvlm.circuit.formula.signs import LETTERS, NAMES, WRAPPERS, canonical, normal
from circuitvlm.circuit.formula.tree import ExpressionError

FUNCTIONS = frozenset(
    {"sin", "cos", "tan", "exp", "ln", "log", "sqrt", "abs", "arctan", "atan", "sinh", "cosh", "tanh"}
)
MAX_NUMBER = 60

_COMMANDS = {
    **dict.fromkeys(("cdot", "times", "ast"), "*"),
    **dict.fromkeys(("div", "slash"), "/"),
    **dict.fromkeys(("parallel", "Vert", "lVert", "rVert", "|"), "||"),
    **dict.fromkeys(("lvert", "rvert", "vert", "mid"), "|"),
    **dict.fromkeys(("frac", "dfrac", "tfrac", "cfrac"), "frac"),
    **dict.fromkeys(("equiv", "triangleq", "coloneqq"), "="),
    "approx": "≈",
    "over": "over",
}
_BRACES = {"{": "{", "lbrace": "{", "}": "}", "rbrace": "}"}
_NUMBER = re.compile(
    r"(?:\d{1,3}(?:,\d{3})+(?![\d,])(?:\.\d*)?|\d+\.?\d*|\.\d+)(?:[eE](?:[+-]\d{1,3}(?![\d.])|\d{1,3}(?![\w.])))?"
)
_RUN = re.compile(r"[A-Za-z][A-Za-z0-9]*'?")
_WORD = re.compile(r"\s*[A-Za-z]+\d*'?\s*")
_PLAIN_SUBSCRIPT = re.compile(r"\d+(?:d[Bb])?|[A-Za-z]+\d*")
_GREEK_TAIL = re.compile(r"\d+|(?<=[ω])[cndpzro]\d*(?![a-ru-z])|(?<=[μµ])[np](?![a-z])")
_OPERATORS = re.compile(r"\*\*|\|\||//|:=|[-+*/^=()\[\]{}|≈:]")
_PROSE = re.compile(
    r"(?<![\w\\{])(?:[A-Za-z]?[a-z]{2,}\s+[a-z]{3,}|[A-Z]{3,}_[A-Z_]{2,}|[A-Z]{6,}|[Tt]he|[Nn]ot?|[Cc]annot)(?![\w}(])"
)
_OMEGA = re.compile(r"w([0cndpzro]?)")


@dataclass(frozen=True, slots=True)
class Token:
    """`kind`: number, name, j, function, frac, over, open, close, or the sign itself. `glued`: no space before it.

    `known`: a name that the reader was told. `run`: where the letters begin that it was cut from.
    """

    kind: str
    text: str
    number: Fraction = Fraction(0)
    glued: bool = False
    known: bool = False
    run: int = -1


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


def _refuse_prose(text: str, vocabulary: Vocabulary | None) -> None:
    """Raises for two words side by side, or a shouted one: a product of them would be no formula."""
    for match in _PROSE.finditer(text):
        words = match[0].split()
        if not any(word in FUNCTIONS or word in NAMES or (vocabulary and vocabulary.find(word)) for word in words):
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
    return Token({"**": "^", "//": "||", ":": "=", ":=": "="}.get(sign, sign), sign, glued=glued)


def _word(text: str, at: int, vocabulary: Vocabulary | None, *, glued: bool) -> tuple[list[Token], int]:
    """The symbols, or the command, that begin here, and where they end."""
    name, end = _command(text, at) if text[at] == "\\" else ("", at)
    if name in _COMMANDS:
        return [Token(_COMMANDS[name], _COMMANDS[name], glued=glued)], end
    if name in _BRACES:
        return [_operator(_BRACES[name], glued=glued)], end
    if name in FUNCTIONS:
        return _called(name, text, end, glued=glued)
    if name in WRAPPERS:
        inner, after = _group(text, end)
        if not _WORD.fullmatch(inner):
            return [], end  # what it holds is read as a group of its own
        run, end = inner.strip(), after
    else:
        run, end = _letters(text, at, name, end)
    if run.removesuffix("10") in FUNCTIONS and (vocabulary is None or vocabulary.find(run) is None):
        return _called(run, text, end, glued=glued)
    return _symbols(text, at, run, end, vocabulary, glued=glued)


def _letters(text: str, at: int, command: str, end: int) -> tuple[str, int]:
    """The run of letters and digits at a place, or the Greek letter that a command names."""
    if command:
        if command not in NAMES or command == "infty":
            raise ExpressionError(f"the command \\{command} is not read")
        return command.removeprefix("var"), end
    if text[at] in LETTERS:
        return LETTERS[text[at]], at + 1
    if match := _RUN.match(text, at):
        return match[0], match.end()
    raise ExpressionError(f"{text[at]!r} has no meaning in a formula")


def _symbols(
    text: str, at: int, run: str, end: int, vocabulary: Vocabulary | None, *, glued: bool
) -> tuple[list[Token], int]:
    """The symbols of a run, with the subscript that may follow."""
    braced = text[end : end + 1] == "_" and text[end + 1 : end + 2] in ("{", "\\")
    subscript, end = _subscript(text, end)
    if subscript is None and run in NAMES and run != "pi" and (tail := _GREEK_TAIL.match(text, end)):
        subscript, end = tail[0], tail.end()  # ω0, ωc
    if subscript is None and run in ("r", "C") and text[end : end + 1] in ("π", "μ"):
        subscript, end = LETTERS[text[end]], end + 1  # rπ
    if subscript and text[end : end + 1] == "'":
        subscript, end = subscript + "'", end + 1
    names = atoms(run, subscript or "", vocabulary, loose=not braced)
    if not names:
        raise ExpressionError(f"{run[:20]!r} is no symbol")
    return [_name(part, vocabulary, glued=glued or i > 0, run=at) for i, part in enumerate(names)], end


def _called(name: str, text: str, end: int, *, glued: bool) -> tuple[list[Token], int]:
    """A function; a logarithm with its base, 0 for the natural one."""
    base, end = _subscript(text, end)
    if base is None and name.endswith("10"):
        name, base = name.removesuffix("10"), "10"
    if base is not None and not (name == "log" and base.isdigit() and 2 <= int(base[:9]) <= 1000):
        raise ExpressionError(f"{name} with the subscript {base[:20]!r} is not read")
    called = {"atan": "arctan", "ln": "log"}.get(name, name)
    return [Token("function", called, number=Fraction(base or 0), glued=glued)], end


def _name(part: str, vocabulary: Vocabulary | None, *, glued: bool, run: int) -> Token:
    known = vocabulary is not None and vocabulary.find(part) is not None
    if part.isdigit():
        return _number(part, glued=glued)
    if part == "j" and not known:
        return Token("j", part, glued=glued)
    if not known and (omega := _OMEGA.fullmatch(part)):
        part = "omega" + omega[1]
        known = vocabulary is not None and vocabulary.find(part) is not None
    return Token("name", part, glued=glued, known=known, run=run)


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
        if name in WRAPPERS:
            inner, end = _group(text, end)
            return canonical(inner), end
        return name, end
    if at < len(text) and text[at] in LETTERS:
        return LETTERS[text[at]], at + 1
    match = _PLAIN_SUBSCRIPT.match(text, at)
    if match is None:
        raise ExpressionError("an underscore without a subscript")
    word, end = match[0], match.end()
    if end < len(text) and text[end] == "_" and len(word) > 1 and not word[-1].isdigit():
        word, end = word[:-1], end - 1  # g_mR_D: the last letter begins the next symbol
    if (turn := re.search(r"[a-z](?=[A-Z])", word.removesuffix("dB"))) is not None:
        end -= len(word) - turn.end()
        word = word[: turn.end()]
    return word, end
