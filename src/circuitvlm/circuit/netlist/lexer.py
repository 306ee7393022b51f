"""Split the text of a netlist into logical lines and their words."""

from __future__ import annotations

import re
from dataclasses import dataclass

from circuitvlm.circuit.quantity import MINUS_SIGNS

MAX_CHARACTERS = 1_000_000
MAX_TOKEN = 4096

_FUNCTIONS = frozenset(
    {"sin", "sine", "pulse", "pwl", "exp", "sffm", "am", "poly", "table", "npn", "pnp", "nmos", "pmos", "v", "i"}
)
"""Words that take the parenthesis after them, even across a space."""

_LANGUAGES = frozenset(
    {"spice", "ngspice", "hspice", "ltspice", "netlist", "cir", "circuit", "sp", "net", "text", "txt", "plaintext"}
)
"""Words after the opening fence of a code block that name its language."""

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_CHARACTERS = str.maketrans(
    dict.fromkeys(MINUS_SIGNS, "-")
    | {chr(0x2080 + i): str(i) for i in range(10)}
    | {"\u2028": "\n", "\u2029": "\n", "\u2126": "Ω", "‘": "'", "’": "'", "“": '"', "”": '"'}
)
_SUBSTITUTIONS = (
    # KiCad itself writes Net-(R1-Pad2) this way for SPICE.
    ("-(", re.compile(r"\b(net|unconnected)-\(([^\s(){}=,;]{1,50})\)", re.I), r"\1-_\2_"),
    # Spectre escapes the index of a bus.
    ("\\<", re.compile(r"\\([<>])"), r"\1"),
)
"""Replacements in the whole text: (a string that the text must hold, pattern, replacement)."""

_REPLY_SUBSTITUTIONS = (
    # Control tokens of language models, which may adjoin a word.
    ("<", re.compile(r"<\|[A-Za-z_]{1,30}\|>|</?s>|<(?:bos|eos|pad|unk)>", re.I), " "),
    # Bold names in Markdown.
    ("**", re.compile(r"\*\*([A-Za-z]{1,4}[0-9]{1,3}:?)\*\*"), r"\1"),
)
"""The same for replies of models."""

_WRITTEN_BREAK = re.compile(r"\\n(?=[A-Za-z]{1,5}[0-9]{1,4}:?[ \t,]|\.[a-z]|\\n|\s|$)")
"""A line break that is written as two characters, before a device, a card, or the end of the line."""

_SCHEMATICS = {
    "LTspice": re.compile(r"\s*Version 4(\.\d+)?\s+SHEET\b"),
    "KiCad": re.compile(r"\s*(\(kicad_sch\b|EESchema Schematic File)"),
    "gEDA or xschem": re.compile(r"\s*v (\d{8} \d+\n|\{xschem )"),
    "Qucs": re.compile(r"\s*<Qucs Schematic"),
}
"""Programs, and how the files of their schematics begin."""

_FENCE_TAG = re.compile(r"[ \t]*[A-Za-z][\w+.-]{0,20}[ \t]*(?=\n|$)")
_DEVICE_SEPARATOR = re.compile(r" ?;(?= ?[A-Za-z]{1,5}[0-9]{1,3} )")
_ASSIGNMENT = re.compile(r"[A-Za-z]\w{0,63} ?=")
_SUBSCRIPT = re.compile(r"\A(\w{1,64})_\{(\w{1,64})\}\Z")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.]*:?")
_CDL = re.compile(r"\$(?:\[([^\s\[\]]+)\]|((?!sub=)[A-Za-z]\w*=\S+))", re.I)
"""A model or a parameter, which CDL states after a dollar sign. In other netlists this sign opens a comment."""

_COORDINATE = re.compile(r"\$[xytd]=", re.I)
"""The place of a device in a layout, as extraction tools write it: no part of the circuit."""

_INTEGER = re.compile(r"-?[0-9]+")
_CLOSING_BRACKETS = {"(": ")", "{": "}"}


class NetlistError(ValueError):
    """An error in the text of a netlist.

    `line` counts from 1 and is None where no single line causes the error. `reason` is the message without the line.
    """

    def __init__(self, reason: str, *, line: int | None = None) -> None:
        self.line, self.reason = line, reason
        super().__init__(reason if line is None else f"line {line}: {reason}")


@dataclass(frozen=True, slots=True)
class Line:
    """One logical line, with its continuations: the number of its first line, its words, and its text."""

    number: int
    tokens: tuple[str, ...]
    raw: str


def lex(text: str, *, is_file: bool = False) -> list[Line]:
    """The logical lines of `text`, without comments, code fences and blank lines; continuations are joined.

    The text of a file is taken as it is; in another one, code blocks, Markdown and line breaks that are written as two
    characters are removed. Every step takes linear time. Raises NetlistError for control characters, for the file of a
    schematic, and for texts or words that are too long.
    """
    if len(text) > MAX_CHARACTERS:
        raise NetlistError(f"expected at most {MAX_CHARACTERS} characters, got {len(text)}")
    text = text.replace("\r\n", "\n").replace("\r", "\n").translate(_CHARACTERS)
    if match := _CONTROL.search(text):
        line = text.count("\n", 0, match.start()) + 1
        raise NetlistError(f"expected printable text, got the control character {match.group()!r}", line=line)
    for program, start in _SCHEMATICS.items():
        if start.match(text):
            raise NetlistError(f"expected a netlist, got a schematic of {program}; let {program} write its netlist")
    text = _INVISIBLE.sub("", text)
    text = text if is_file else _break_lines(_extract_code_block(text))
    for trigger, pattern, replacement in _SUBSTITUTIONS if is_file else _REPLY_SUBSTITUTIONS + _SUBSTITUTIONS:
        if trigger in text:
            text = pattern.sub(replacement, text)
    return [
        Line(number, tokens, raw)
        for number, raw in _join_continuations(text, is_file=is_file)
        if (tokens := tuple(split_words(raw, line=number)))
    ]


def is_single_line(text: str) -> bool:
    """Whether the text holds no line break, tab or other control character."""
    return "\n" not in text and "\t" not in text and not _CONTROL.search(text)


def _break_lines(text: str) -> str:
    """The text with line breaks where they are written as two characters; not in comments of a text that has others."""
    if "\\n" not in text:
        return text
    lines = text.split("\n")
    has_breaks = sum(1 for line in lines if line.strip()) > 1
    is_comment = [has_breaks and line.lstrip().startswith("*") for line in lines]
    pairs = zip(lines, is_comment, strict=True)
    return "\n".join(line if is_kept else _WRITTEN_BREAK.sub("\n", line) for line, is_kept in pairs)


def _extract_code_block(text: str) -> str:
    """The first code block with a digit, at its old line numbers; the whole text where there is none."""
    parts = text.split("```")
    for i in range(1, len(parts), 2):
        block = parts[i]
        if any(c.isdigit() for c in block):
            first_word = block.split(maxsplit=1)[0]
            if tag := _FENCE_TAG.match(block):
                block = block[tag.end() :]
            elif first_word.lower() in _LANGUAGES:
                block = block.replace(first_word, " ", 1)
            return "\n" * sum(part.count("\n") for part in parts[:i]) + block.replace("`", " ")
    return text.replace("`", " ")


def _join_continuations(text: str, *, is_file: bool) -> list[tuple[int, str]]:
    """The number and the text of each logical line, without comments and blank lines."""
    physical = text.split("\n")
    if not is_file and sum(1 for line in physical if line.strip()) == 1:
        # In a deck on one line, a star may stand before the title, and semicolons may separate the devices.
        physical = _DEVICE_SEPARATOR.sub("\n", " ".join(text.lstrip(" \t\n*").split())).split("\n")
    logical: list[tuple[int, list[str]]] = []
    has_backslash = False  # whether the last line ends with one, which is also a line break in Markdown
    for number, line in enumerate(physical, start=1):
        line = line.partition(";")[0].strip()
        if has_backslash and _ASSIGNMENT.match(line):
            line = f"+{line}"
        has_backslash = line.endswith("\\")
        line = line.rstrip("\\").rstrip() if has_backslash else line
        if line.startswith("|") and not is_file:  # a row of a table
            line = line.replace("|", " ").strip()
        if not line or line[0] in "*#" or line.startswith(("//", "$ ")):
            continue
        if line[0] != "+":
            logical.append((number, [line]))
        elif logical:
            logical[-1][1].append(line[1:])
        else:
            raise NetlistError(f"expected a line before the continuation line {line[:40]!r}, got none", line=number)
    return [(number, " ".join(parts)) for number, parts in logical]


def split_words(raw: str, *, line: int | None = None) -> list[str]:
    """The words of one logical line; `line` is its number, for errors."""
    words: list[str] = []
    after_coordinates = False  # after $T=, where numbers are separated by blanks
    splits_group = False  # after a name, a parenthesis holds nodes: R1 (1 2) 10k
    for group in _split_groups(raw):
        last = words[-1] if words else ""
        is_group = group[0] == "(" and group[-1] == ")" and not (set("(){}") & set(group[1:-1]))
        splits_group = is_group and last.lower() not in _FUNCTIONS and (splits_group or bool(_NAME.fullmatch(last)))
        for word in group[1:-1].replace(",", " ").split() if splits_group else [group]:
            if word == "|" and words and words[0][0] not in "Bb":
                continue  # between the cells of a table
            if word == "$" or word.startswith("//"):
                return words  # a comment, up to the end of the line
            if words and word.lower().startswith("$sub="):
                continue  # the substrate's node in a layout
            if words and word[0] == "$" and _COORDINATE.match(word):
                after_coordinates = True
            elif not (after_coordinates and _INTEGER.fullmatch(word)):
                after_coordinates = False
                _append_word(words, _CDL.sub(r"\1\2", word) if words and word[0] == "$" else word, line=line)
    return words


def _append_word(words: list[str], word: str, *, line: int | None) -> None:
    """Append a word, or join it to the last one: around `=`, and the parenthesis after a function."""
    word = _SUBSCRIPT.sub(r"\1_\2", word)
    if words and (word[0] == "=" or words[-1][-1] == "=" or (word[0] == "(" and words[-1].lower() in _FUNCTIONS)):
        words[-1] += word
    else:
        words.append(word)
    if len(words[-1]) > MAX_TOKEN:
        raise NetlistError(f"expected at most {MAX_TOKEN} characters in a word, got {word[:20]!r}…", line=line)


def _split_groups(raw: str) -> list[str]:
    """Words between blanks and commas, with bracketed groups whole. A bracket without partner counts as a blank."""
    raw = re.sub(r"'([^']*)'", r"{\1}", raw).replace("'", " ")
    raw = " ".join(raw.replace('"', " ").split()).replace(" =", "=").replace("= ", "=")
    partners = _match_brackets(raw)
    if not partners:
        return re.sub(r"[(){},]", " ", raw).split()
    pieces: list[str] = []
    position = 0
    while position < len(raw):
        piece = raw[position : partners.get(position, position) + 1]
        if position in partners:
            # Blanks inside a group are marked as line breaks until the line has been split.
            pieces.append(re.sub(r" ?([(){},=]) ?", r"\1", piece).replace(" ", "\n"))
        else:
            pieces.append(" " if piece in "(){}," else piece)
        position += len(piece)
    return [word.replace("\n", " ") for word in "".join(pieces).split(" ") if word]


def _match_brackets(raw: str) -> dict[int, int]:
    """The positions of the opening brackets that have a partner, and those of the partners. Not recursive."""
    partners: dict[int, int] = {}
    stack: list[int] = []
    for bracket in re.finditer(r"[(){}]", raw):
        if bracket[0] in _CLOSING_BRACKETS:
            stack.append(bracket.start())
        elif stack and _CLOSING_BRACKETS[raw[stack[-1]]] == bracket[0]:
            partners[stack.pop()] = bracket.start()
    return partners
