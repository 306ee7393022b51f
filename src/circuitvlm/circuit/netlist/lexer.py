"""Which statements does a netlist's text consist of, and of which words?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from circuitvlm.circuit.quantity import MINUS_SIGNS

MAX_CHARACTERS = 1_000_000
MAX_TOKEN = 4096

_FUNCTION_WORDS = "sin pulse pwl exp sffm am poly table npn pnp nmos pmos v i"
_FUNCTIONS = frozenset(_FUNCTION_WORDS.split())
"""Words that take the parenthesis after them, even over a space."""

_LANGUAGE_WORDS = "spice ngspice hspice ltspice netlist cir circuit sp net text txt plaintext"
_LANGUAGES = frozenset(_LANGUAGE_WORDS.split())
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_SPECIAL = re.compile(r"<\|[A-Za-z_]{1,30}\|>|</?s>|<(?:bos|eos|pad|unk)>", re.I)
"""Control tokens of language models, which stick to the words beside them."""

_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_CHARACTERS = str.maketrans(
    dict.fromkeys(MINUS_SIGNS, "-")
    | {chr(0x2080 + i): str(i) for i in range(10)}
    | {"\u2028": "\n", "\u2029": "\n", "\u2126": "Ω", "‘": "'", "’": "'", "“": '"', "”": '"'}
)
_PARTING = re.compile(r" ?;(?= ?[A-Za-z]{1,5}[0-9]{1,3} )")
_PAIRS = {"(": ")", "{": "}"}
_KICAD = re.compile(r"\b(net|unconnected)-\(([^\s(){}=,;]{1,50})\)", re.I)
_BOLD = re.compile(r"\*\*([A-Za-z]{1,4}[0-9]{1,3}:?)\*\*")
_ESCAPED = re.compile(r"\\n(?=[A-Za-z]{1,5}[0-9]{1,4}:?[ \t,]|\.[a-z]|\\n|\s|$)")
_SUBSCRIPT = re.compile(r"(\w{1,64})_\{(\w{1,64})\}")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.]*:?")
_CDL = re.compile(r"\$(?:\[([^\s\[\]]+)\]|((?!sub=)[A-Za-z]\w*=\S+))", re.I)
"""What CDL states behind a dollar sign, as other netlists open a comment: a model, a parameter."""

_COORDINATE = re.compile(r"\$[xytd]=", re.I)
"""Where a device lies in a layout, as extraction writes it: no part of the circuit."""

_INTEGER = re.compile(r"-?[0-9]+")
_ASSIGNED = re.compile(r"[A-Za-z]\w{0,63} ?=")
_TAG = re.compile(r"[ \t]*[A-Za-z][\w+.-]{0,20}[ \t]*(?:\n|$)")


class NetlistError(ValueError):
    """The text is no netlist. `line` counts from 1, None where no single line is to blame; `reason` says why."""

    def __init__(self, reason: str, *, line: int | None = None) -> None:
        self.line = line
        self.reason = reason
        super().__init__(reason if line is None else f"line {line}: {reason}")


@dataclass(frozen=True, slots=True)
class Line:
    """One logical line (continuations joined): where it begins, its words, and how it read."""

    number: int
    tokens: tuple[str, ...]
    raw: str


def lex(text: str) -> list[Line]:
    """The logical lines of `text`: without comments, code fences and blank lines, continuations joined.

    Every step is linear in the text. Raises NetlistError for control characters, overlong text or words.
    """
    if len(text) > MAX_CHARACTERS:
        raise NetlistError(f"the text has {len(text)} characters; at most {MAX_CHARACTERS} are read")
    text = text.replace("\r\n", "\n").replace("\r", "\n").translate(_CHARACTERS)
    if found := _CONTROL.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise NetlistError(f"control character {found.group()!r}; wanted printable text", line=line)
    text = _unfenced(_INVISIBLE.sub("", text))
    if "<" in text:
        text = _SPECIAL.sub(" ", text)
    if "-(" in text:
        text = _KICAD.sub(r"\1-_\2_", text)  # as KiCad itself writes Net-(R1-Pad2) for SPICE
    if "**" in text:
        text = _BOLD.sub(r"\1", text)
    if "\\<" in text:
        text = text.replace("\\<", "<").replace("\\>", ">")  # as Spectre writes a bus
    if "\\n" in text:
        text = _ESCAPED.sub("\n", text)
    lines = list(_logical(text))
    return [Line(number, tokens, raw) for number, raw in lines if (tokens := tuple(words(raw, line=number)))]


def is_plain(text: str) -> bool:
    """Whether the text holds no control character and fits on one line."""
    return "\n" not in text and "\t" not in text and not _CONTROL.search(text)


def _unfenced(text: str) -> str:
    """The first code block that has a digit in it, on its old line numbers; all of the text where there is none."""
    if "```" not in text:
        return text.replace("`", " ")
    parts = text.split("```")
    skipped = 0
    for place, part in enumerate(parts):
        if place % 2 and any(c.isdigit() for c in part):
            tag = _TAG.match(part)
            words = part.split(maxsplit=1)
            if tag:
                part = part[tag.end() :]
                skipped += tag.group().count("\n")
            elif words and words[0].lower() in _LANGUAGES:
                part = part.replace(words[0], " ", 1)
            return "\n" * skipped + part.replace("`", " ")
        skipped += part.count("\n")
    return text.replace("`", " ")


def _logical(text: str) -> Iterator[tuple[int, str]]:
    physical = text.split("\n")
    if sum(1 for line in physical if line.strip()) == 1:
        # A flattened deck may begin with its title's star, and part its devices by what else opens a comment.
        physical = _PARTING.sub("\n", " ".join(text.lstrip(" \t\n*").split())).split("\n")
    number, parts = 0, list[str]()
    goes_on = False  # by a backslash at its end, which is also what breaks a line in Markdown
    for place, line in enumerate(physical, start=1):
        line = line.partition(";")[0].strip()
        if goes_on and _ASSIGNED.match(line):
            line = f"+{line}"
        goes_on = line.endswith("\\")
        line = line.rstrip("\\").rstrip() if goes_on else line
        if line.startswith("|"):  # a row of a table
            line = line.replace("|", " ").strip()
        if not line or line[0] in "*#" or line.startswith(("//", "$ ")):
            continue
        if line[0] != "+":
            if parts:
                yield number, " ".join(parts)
            number, parts = place, [line]
        elif parts:
            parts.append(line[1:])
        else:
            raise NetlistError("a continuation line (+) with no line before it", line=place)
    if parts:
        yield number, " ".join(parts)


def words(raw: str, *, line: int | None = None) -> list[str]:
    """The words of one logical line; `line` is its number, for errors."""
    out: list[str] = []
    coordinates = False  # after $T=, whose numbers part at blanks
    expanding = False  # after `R1`, a parenthesis holds nodes: R1 (1 2) 10k
    for word in _split(raw):
        before = out[-1] if out else ""
        group = word[0] == "(" and word[-1] == ")" and not (set("(){}") & set(word[1:-1]))
        expanding = group and before.lower() not in _FUNCTIONS and (expanding or _NAME.fullmatch(before) is not None)
        for piece in word[1:-1].replace(",", " ").split() if expanding else [word]:
            if piece == "|" and out and out[0][0] not in "Bb":
                continue  # between the cells of a table
            if piece == "$" or piece.startswith("//"):
                return out  # a comment, to the end of the line
            if out and piece[0] == "$":
                if _COORDINATE.match(piece):
                    coordinates = True
                    continue
                piece = _CDL.sub(r"\1\2", piece)
            elif coordinates and _INTEGER.fullmatch(piece):
                continue
            coordinates = False
            _push(out, piece, line=line)
    return out


def _push(out: list[str], word: str, *, line: int | None) -> None:
    if "_{" in word and (match := _SUBSCRIPT.fullmatch(word)):
        word = f"{match[1]}_{match[2]}"
    glued = out and (word[0] == "=" or out[-1][-1] == "=" or (word[0] == "(" and out[-1].lower() in _FUNCTIONS))
    if glued:
        out[-1] += word
    else:
        out.append(word)
    if len(out[-1]) > MAX_TOKEN:
        raise NetlistError(f"the word {word[:20]!r}… has over {MAX_TOKEN} characters", line=line)


def _split(raw: str) -> list[str]:
    """Words between blanks and commas, where brackets hold together; a bracket without partner counts as a blank."""
    if "'" in raw:
        raw = re.sub(r"'([^']*)'", r"{\1}", raw).replace("'", " ")
    raw = " ".join(raw.replace('"', " ").split())
    if "=" in raw:
        raw = raw.replace(" =", "=").replace("= ", "=")
    if not ("(" in raw or "{" in raw or ")" in raw or "}" in raw):
        return raw.replace(",", " ").split()
    partner = _partners(raw)
    pieces: list[str] = []
    place = 0
    while place < len(raw):
        letter = raw[place]
        if place in partner:
            end = partner[place] + 1
            # Blanks inside a group are kept apart from those between words until the line has been split.
            pieces.append(re.sub(r" ?([(){},=]) ?", r"\1", raw[place:end]).replace(" ", "\n"))
            place = end
            continue
        pieces.append(" " if letter in "(){}," else letter)
        place += 1
    return [word.replace("\n", " ") for word in "".join(pieces).split(" ") if word]


def _partners(raw: str) -> dict[int, int]:
    """Where each bracket that has a partner is closed. No recursion, so depth costs nothing."""
    partner: dict[int, int] = {}
    stack: list[int] = []
    for place, letter in enumerate(raw):
        if letter in _PAIRS:
            stack.append(place)
        elif letter in ")}" and stack and _PAIRS[raw[stack[-1]]] == letter:
            partner[stack.pop()] = place
    return partner
