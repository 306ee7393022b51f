"""Split plain text into numbers, words and signs."""

from __future__ import annotations

import re
from typing import NamedTuple

from circuitvlm.circuit.quantity.plain_text import BOLD, BOX, BOX_END


class Token(NamedTuple):
    """`kind` is number, word, j (the imaginary unit), line, box, end of box, bold, end, or a character itself.

    `text` of a number is what float() parses. `is_adjacent`: no space between this token and the one before.
    """

    kind: str
    text: str
    is_adjacent: bool


END = Token("end", "", False)
_CHARACTER_KINDS = {"\n": "line", BOX: "box", BOX_END: "end of box", BOLD: "bold"}
_DIGITS = r"[1-9][0-9]{0,2}(?:\ [0-9]{3})+(?:[.,][0-9]+)?(?![0-9])|\.?[0-9](?:[0-9.,]*[0-9])?"
# j4 is imaginary, but i4 is a current, unless a sign or the bracket of a power stands before it.
_IMAGINARY = (
    r"(?<!\w)j(?=\.?[0-9]|π)|(?:(?<=[-+])|(?<=[-+]\ )|(?<=\^\())i(?=\.?[0-9]|π)"
    r"|(?<=[0-9π)])[ij](?=[kMmµμ]?[VAΩ]\b|(?!\w))"
)
_TOKEN = re.compile(
    rf"""(?P<space>[ ]+) | (?P<j>{_IMAGINARY}) |
    (?P<digits>{_DIGITS})(?P<power>[eE][+-]?[0-9]{{1,6}}(?![0-9])|\ [eE][+-][0-9]{{1,6}}(?!\w))? |
    (?P<word>[^\W\d]\w*) | (?P<other>.|\n)""",
    re.X,
)
_NUMBER_FORMATS: tuple[tuple[re.Pattern[str], dict[int, str]], ...] = (
    (re.compile(r"[0-9]*\.[0-9]+|[0-9]+"), {}),
    (re.compile(r"[1-9][0-9]{0,2}(?:,[0-9]{3})+(?:\.[0-9]+)?"), str.maketrans({",": ""})),
    (re.compile(r"[1-9][0-9]{0,2}(?:\.[0-9]{3})+,[0-9]+"), str.maketrans({".": "", ",": "."})),
    (re.compile(r"[0-9]+,(?:[0-9]{1,2}|[0-9]{4,})|0,[0-9]+|[0-9]{4,},[0-9]+"), str.maketrans({",": "."})),
    (re.compile(r"[0-9]{1,3}(?: [0-9]{3})+(?:\.[0-9]+)?"), str.maketrans({" ": ""})),
    (re.compile(r"[0-9]{1,3}(?: [0-9]{3})+,[0-9]+"), str.maketrans({" ": "", ",": "."})),
)
_MAX_DIGITS = 400


def tokenize(text: str) -> list[Token]:
    """Return the tokens of plain text, without spaces."""
    tokens: list[Token] = []
    is_adjacent = True
    for match in _TOKEN.finditer(text):
        kind, content = match.lastgroup or "other", match[0]
        if match["digits"]:
            tokens += _number_tokens(match["digits"], match["power"] or "", is_adjacent=is_adjacent)
        elif kind != "space":
            kind = _CHARACTER_KINDS.get(content, content) if kind == "other" else kind
            tokens.append(Token(kind, content, is_adjacent))
        is_adjacent = kind != "space"
    return tokens


def _number_tokens(digits: str, power: str, *, is_adjacent: bool) -> list[Token]:
    """Return one number, or those of a list such as 1,2,3; `?` for a text that is no number, such as 1.2.3."""
    if number := _decimal(digits):
        return [Token("number", number + power.strip(), is_adjacent)]
    if "," not in digits:
        return [Token("?", digits, is_adjacent)]
    tokens: list[Token] = []
    for part in digits.split(","):
        number = _decimal(part)
        tokens += [Token("number" if number else "?", number or part, False), Token(",", ",", False)]
    tokens[-2] = tokens[-2]._replace(text=tokens[-2].text + power.strip())
    return tokens[:-1]


def _decimal(digits: str) -> str | None:
    """Return the digits with a decimal point and no thousands separators; None if they are no number.

    A comma is decimal where it cannot be a separator.
    """
    formats = _NUMBER_FORMATS if len(digits) <= _MAX_DIGITS else ()
    return next((digits.translate(table) for pattern, table in formats if pattern.fullmatch(digits)), None)
