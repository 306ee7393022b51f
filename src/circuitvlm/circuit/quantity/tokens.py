"""Of which numbers, words and signs is this plain text made?"""

from __future__ import annotations

import re
from typing import NamedTuple

from circuitvlm.circuit.quantity.text import BOLD, BOX, BOX_END


class Token(NamedTuple):
    """`kind` is number, word, j (the imaginary unit), line, box, end of box, bold, end, or a character itself.

    `text` of a number is what float() reads. `glued`: nothing stands between this token and the one before.
    """

    kind: str
    text: str
    glued: bool


END = Token("end", "", False)
_NAMED = {"\n": "line", BOX: "box", BOX_END: "end of box", BOLD: "bold"}
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
_READABLE = (
    (re.compile(r"[0-9]*\.[0-9]+|[0-9]+"), "", "."),
    (re.compile(r"[1-9][0-9]{0,2}(?:,[0-9]{3})+(?:\.[0-9]+)?"), ",", "."),
    (re.compile(r"[1-9][0-9]{0,2}(?:\.[0-9]{3})+,[0-9]+"), ".", ","),
    (re.compile(r"[0-9]+,(?:[0-9]{1,2}|[0-9]{4,})|0,[0-9]+|[0-9]{4,},[0-9]+"), "", ","),
    (re.compile(r"[0-9]{1,3}(?: [0-9]{3})+(?:\.[0-9]+)?"), " ", "."),
    (re.compile(r"[0-9]{1,3}(?: [0-9]{3})+,[0-9]+"), " ", ","),
)
_LONGEST = 400


def tokens_of(text: str) -> list[Token]:
    """The tokens of plain text, spaces left out."""
    tokens: list[Token] = []
    glued = True
    for match in _TOKEN.finditer(text):
        kind, found = match.lastgroup or "other", match[0]
        if kind == "space":
            glued = False
            continue
        if match["digits"]:
            tokens += _numbers(match["digits"], match["power"] or "", glued=glued)
        else:
            tokens.append(Token(_NAMED.get(found, found) if kind == "other" else kind, found, glued))
        glued = True
    return tokens


def _numbers(digits: str, power: str, *, glued: bool) -> list[Token]:
    """One number, or those of a list such as 1,2,3; `?` for what is none, such as 1.2.3."""
    if number := _decimal(digits):
        return [Token("number", number + power.strip(), glued)]
    if "," not in digits:
        return [Token("?", digits, glued)]
    tokens: list[Token] = []
    for part in digits.split(","):
        readable = _decimal(part)
        tokens += [Token("number" if readable else "?", readable or part, False), Token(",", ",", False)]
    tokens[-2] = tokens[-2]._replace(text=tokens[-2].text + power.strip())
    return tokens[:-1]


def _decimal(digits: str) -> str | None:
    """With a decimal point and no thousands separators; a comma is decimal where it cannot be anything else."""
    if len(digits) > _LONGEST:
        return None
    for form, separator, point in _READABLE:
        if form.fullmatch(digits):
            return (digits.replace(separator, "") if separator else digits).replace(point, ".")
    return None
