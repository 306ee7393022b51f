"""Split the text of a formula into tokens: numbers, symbols, functions and operators."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from circuitvlm.circuit.formula.notation import FONT_COMMANDS, GREEK_LETTERS, SYMBOL_NAMES, canonical_name, normalize
from circuitvlm.circuit.formula.tree import ExpressionError
from circuitvlm.circuit.formula.vocabulary import Vocabulary, split_symbols

FUNCTIONS = frozenset(
    {"sin", "cos", "tan", "exp", "ln", "log", "sqrt", "abs", "arctan", "atan", "sinh", "cosh", "tanh"}
)
"""Functions that are parsed; `ln` is the same as `log`, and `atan` the same as `arctan`."""

MAX_NUMBER = 60
"""Longest number in characters."""

_COMMAND_OPERATORS = {
    **dict.fromkeys(("cdot", "times", "ast"), "*"),
    **dict.fromkeys(("div", "slash"), "/"),
    **dict.fromkeys(("parallel", "Vert", "lVert", "rVert", "|"), "||"),
    **dict.fromkeys(("lvert", "rvert", "vert", "mid"), "|"),
    **dict.fromkeys(("frac", "dfrac", "tfrac", "cfrac"), "frac"),
    **dict.fromkeys(("equiv", "triangleq", "coloneqq"), "="),
    "approx": "≈",
    "over": "over",
    "{": "{",
    "lbrace": "{",
    "}": "}",
    "rbrace": "}",
}
_OPERATOR_KINDS = {
    **dict.fromkeys("([{", "open"),
    **dict.fromkeys(")]}", "close"),
    "**": "^",
    "//": "||",
    ":": "=",
    ":=": "=",
}
_COMMAND = re.compile(r"[A-Za-z]+|.")
_NUMBER = re.compile(
    r"(?:\d{1,3}(?:,\d{3})+(?![\d,])(?:\.\d*)?|\d+\.?\d*|\.\d+)(?:[eE](?:[+-]\d{1,3}(?![\d.])|\d{1,3}(?![\w.])))?"
)
_RUN = re.compile(r"[A-Za-z][A-Za-z0-9]*'?")
_WORD = re.compile(r"\s*[A-Za-z]+\d*'?\s*")
_PLAIN_SUBSCRIPT = re.compile(r"\d+(?:d[Bb])?|[A-Za-z]+\d*")
_GREEK_SUBSCRIPT = re.compile(r"\d+|(?<=[ω])[cndpzro]\d*(?![a-ru-z])|(?<=[μµ])[np](?![a-z])")
_OPERATORS = re.compile(r"\*\*|\|\||//|:=|[-+*/^=()\[\]{}|≈:]")
_PROSE = re.compile(
    r"(?<![\w\\{])(?:[A-Za-z]?[a-z]{2,}\s+[a-z]{3,}|[A-Z]{3,}_[A-Z_]{2,}|[A-Z]{6,}|[Tt]he|[Nn]ot?|[Cc]annot)(?![\w}(])"
)
_PREFIXED_NUMBER = re.compile(r"(?<![\w.])\d+\.?\d*([kMmunpμµ])(?![\w(])")
_UNIT = re.compile(
    r"\d\s*(?:\\(?:text|mathrm)\s*\{\s*)?(?:k|M|m|u|µ|μ|\\mu|n|p)?\s*\}?\s*"
    r"(?:\\Omega(?![A-Za-z])|[ΩΩ]|\\(?:text|mathrm)\s*\{\s*(?:F|H|Hz|V|A|s|S|W)\s*\})"
)
_OMEGA = re.compile(r"w([0cndpzro]?)")


@dataclass(frozen=True, slots=True)
class Token:
    """`kind`: number, name, j, function, frac, over, open, close, or the operator itself.

    `number`: the value of a number, or the base of a logarithm (0 for the natural one). `is_adjacent`: no space
    before the token. `is_known`: a name of the vocabulary. `run_start`: where the run of letters of a name starts.
    """

    kind: str
    text: str
    number: Fraction = Fraction(0)
    is_adjacent: bool = True
    is_known: bool = False
    run_start: int = -1


def tokenize(text: str, vocabulary: Vocabulary | None) -> Iterator[Token]:
    """Yield the tokens of a formula. Raises ExpressionError for characters that no formula has, and for prose."""
    text = normalize(text)
    _refuse_prose(text, vocabulary)
    position, is_adjacent = 0, False
    while position < len(text):
        if text[position].isspace():
            position, is_adjacent = position + 1, False
            continue
        start = position
        tokens, position = _read_tokens(text, start, vocabulary)
        for token in tokens:
            yield token if is_adjacent else replace(token, is_adjacent=False)
            is_adjacent = True
        is_adjacent = True
        if text[start] == "\\" and tokens and tokens[0].kind == "name":
            position += len(text[position:]) - len(text[position:].lstrip(" "))  # the space ends a command's name


def _refuse_prose(text: str, vocabulary: Vocabulary | None) -> None:
    """Raise ExpressionError for two adjacent words, or a word in capitals: a product of them is no formula.

    The same for values with units or several prefixes, whose letters would be read as symbols.
    """
    prefixes = {match[1] for match in _PREFIXED_NUMBER.finditer(text)}
    if vocabulary is None and (len(prefixes) > 1 or _UNIT.search(text)):
        raise ExpressionError(f"expected plain numbers in a formula, got values with prefixes or units: {text[:40]!r}")
    for match in _PROSE.finditer(text):
        if not any(
            word in FUNCTIONS or word in SYMBOL_NAMES or (vocabulary and vocabulary.find(word))
            for word in match[0].split()
        ):
            raise ExpressionError(f"expected a formula, got prose: {match[0][:40]!r}")


def _read_tokens(text: str, start: int, vocabulary: Vocabulary | None) -> tuple[list[Token], int]:
    """Return the tokens of the number, operator or word that starts here, and where it ends."""
    char = text[start]
    if match := _NUMBER.match(text, start):
        return [_number(match[0])], match.end()
    if char == "\\" or char.isalpha():
        return _read_word(text, start, vocabulary)
    if match := _OPERATORS.match(text, start):
        return [_operator(match[0])], match.end()
    raise ExpressionError(f"expected a formula, got the character {char!r} after {text[max(0, start - 20) : start]!r}")


def _number(text: str) -> Token:
    if len(text) > MAX_NUMBER:
        raise ExpressionError(f"expected a number of at most {MAX_NUMBER} characters, got {len(text)}: {text[:20]!r}..")
    return Token("number", text, number=Fraction(text.replace(",", "").removesuffix(".")))


def _operator(text: str) -> Token:
    return Token(_OPERATOR_KINDS.get(text, text), text)


def _read_word(text: str, start: int, vocabulary: Vocabulary | None) -> tuple[list[Token], int]:
    """Return the tokens of the symbols, or of the command, that start here, and where they end."""
    command, end = _read_command(text, start) if text[start] == "\\" else ("", start)
    if command in _COMMAND_OPERATORS:
        return [_operator(_COMMAND_OPERATORS[command])], end
    if command in FUNCTIONS:
        return _read_function(command, text, end)
    if command in FONT_COMMANDS:
        content, content_end = _read_group(text, end)
        if not _WORD.fullmatch(content):
            return [], end  # the content is read as a group of its own
        run, end = content.strip(), content_end
    else:
        run, end = _read_letters(text, start, command, end)
    if run.removesuffix("10") in FUNCTIONS and (vocabulary is None or vocabulary.find(run) is None):
        return _read_function(run, text, end)
    return _read_symbols(text, start, run, end, vocabulary)


def _read_letters(text: str, start: int, command: str, end: int) -> tuple[str, int]:
    """Return the run of letters and digits that starts here, or the Greek letter of a command, and where it ends."""
    if command:
        if command not in SYMBOL_NAMES or command == "infty":
            raise ExpressionError(f"expected a LaTeX command of a formula, got \\{command}, which is not supported")
        return command.removeprefix("var"), end
    if text[start] in GREEK_LETTERS:
        return GREEK_LETTERS[text[start]], start + 1
    if match := _RUN.match(text, start):
        return match[0], match.end()
    raise ExpressionError(f"expected a Latin or Greek letter, got {text[start]!r}")


def _read_symbols(text: str, start: int, run: str, end: int, vocabulary: Vocabulary | None) -> tuple[list[Token], int]:
    """Return the symbols of a run, with the subscript that may follow it, and where they end."""
    is_braced = text[end : end + 1] == "_" and text[end + 1 : end + 2] in ("{", "\\")
    subscript, end = _read_subscript(text, end)
    if subscript is None and run in SYMBOL_NAMES and run != "pi" and (match := _GREEK_SUBSCRIPT.match(text, end)):
        subscript, end = match[0], match.end()  # ω0, ωc
    if subscript is None and run in ("r", "C") and text[end : end + 1] in ("π", "μ"):
        subscript, end = GREEK_LETTERS[text[end]], end + 1  # rπ
    if subscript and text[end : end + 1] == "'":
        subscript, end = subscript + "'", end + 1
    names = split_symbols(run, subscript or "", vocabulary, is_braced=is_braced)
    if not names:
        raise ExpressionError(f"expected a symbol, got {run[:20]!r}")
    return [_symbol(name, vocabulary, run_start=start) for name in names], end


def _read_function(name: str, text: str, end: int) -> tuple[list[Token], int]:
    """Return the token of a function, with the base of a logarithm, and where its name ends."""
    base, end = _read_subscript(text, end)
    if base is None and name.endswith("10"):
        name, base = name.removesuffix("10"), "10"
    if base is not None and not (name == "log" and base.isdigit() and 2 <= int(base[:9]) <= 1000):
        raise ExpressionError(f"expected a subscript from 2 to 1000, of log only, got {name} with {base[:20]!r}")
    return [Token("function", {"atan": "arctan", "ln": "log"}.get(name, name), number=Fraction(base or 0))], end


def _symbol(name: str, vocabulary: Vocabulary | None, *, run_start: int) -> Token:
    is_known = vocabulary is not None and vocabulary.find(name) is not None
    if name.isdigit():
        return _number(name)
    if name == "j" and not is_known:
        return Token("j", name)
    if not is_known and (omega := _OMEGA.fullmatch(name)):
        name = "omega" + omega[1]
        is_known = vocabulary is not None and vocabulary.find(name) is not None
    return Token("name", name, is_known=is_known, run_start=run_start)


def _read_command(text: str, start: int) -> tuple[str, int]:
    """Return the name of the LaTeX command whose backslash is at `start`, and where it ends."""
    if not (match := _COMMAND.match(text, start + 1)):
        raise ExpressionError(f"expected a command after the last backslash, got the end of {text[-20:]!r}")
    return match[0], match.end()


def _read_group(text: str, start: int) -> tuple[str, int]:
    """Return the content of a group in braces, and where it ends; an empty text if no group starts here."""
    while start < len(text) and text[start] == " ":
        start += 1
    if text[start : start + 1] != "{":
        return "", start
    depth = 0
    for end in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        if not depth:
            return text[start + 1 : end], end + 1
    raise ExpressionError(f"expected a closing brace, got none after {text[start : start + 20]!r}")


def _read_subscript(text: str, start: int) -> tuple[str | None, int]:
    """Return what follows an underscore: a group, a command, digits, or letters up to the next symbol."""
    if text[start : start + 1] != "_":
        return None, start
    start += 1
    command, end = _read_command(text, start) if text[start : start + 1] == "\\" else ("", start)
    if command in FONT_COMMANDS or text[start : start + 1] == "{":
        content, end = _read_group(text, end)
        return canonical_name(content), end
    if command:
        return command, end
    if text[start : start + 1] in GREEK_LETTERS:
        return GREEK_LETTERS[text[start]], start + 1
    if not (match := _PLAIN_SUBSCRIPT.match(text, start)):
        raise ExpressionError(f"expected a subscript after {text[max(0, start - 20) : start]!r}, got none")
    word, end = match[0], match.end()
    if text[end : end + 1] == "_" and len(word) > 1 and not word[-1].isdigit():
        word, end = word[:-1], end - 1  # g_mR_D: the last letter begins the next symbol
    if boundary := re.search(r"[a-z](?=[A-Z])", word.removesuffix("dB")):
        end -= len(word) - boundary.end()
        word = word[: boundary.end()]
    return word, end
