"""Where in an answer stands its formula?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

_BOXED = re.compile(r"\\boxed\s*\{")
_MATH = re.compile(r"\$\$(.+?)\$\$|\$(.+?)\$|\\\[(.+?)\\\]|\\\((.+?)\\\)", re.S)
_MARKER = re.compile(r"(?:final\s+answer|answer|result)\s*(?:is\b|:|=)", re.I)
_FENCE = re.compile(r"```[a-z]*\n?|```|`", re.I)
_STARS = re.compile(r"\*\*(?=\S)([^*\n]+?)\*\*(?![\w(])")
_LATEX_ENV = re.compile(r"\\(?:begin|end)\s*\{[a-z]+\*?\}", re.I)
_STOP = (
    "where with for and is are was the when if which assuming since so then thus hence as in at of this that because"
    " given we have can be by from to an using therefore it has gives yields into between node volts ohms or"
)
_END = re.compile(rf"(?<![\w\\])(?:{'|'.join(_STOP.split())})(?![\w(_])", re.I)
_SENTENCE = re.compile(r"(?<!\\)[;,](?=\s|$)|\.(?=\s+[A-Z\\$]|\s*$)|[?!]")
_LEAD = re.compile(r"(?:\bis\b|\bare\b|\bgives\b|\byields\b|\bequals\b|:|\bbecomes\b)(?=[\s$\\(])", re.I)
_WORDED = re.compile(r"\\(?:text|textrm|mathrm|mbox)\s*\{([^{}]*\s[^{}]*)\}")
_UNIT = re.compile(r"(?<=[\w)}\]])\s*(?:(?:\\,|\\;|~|\s)*\\?(?:Omega|Ω|\u2126)|\s+[Oo]hms?)$")
MOST = 8


def candidates(text: str) -> Iterator[str]:
    """The places where the formula may stand, the likeliest first, each without the prose around it; at most 8."""
    text = _WORDED.sub(r" \1 ", _LATEX_ENV.sub(" ", _FENCE.sub(" ", text)))
    seen: set[str] = set()
    for part in _places(text):
        trimmed = _trimmed(part)
        if trimmed and trimmed not in seen:
            seen.add(trimmed)
            yield trimmed
        if len(seen) == MOST:
            return


def _places(text: str) -> Iterator[str]:
    if boxed := _boxed(text):
        yield boxed
        return
    marks = list(_MARKER.finditer(text))
    if marks:
        yield from _inside(text[marks[-1].end() :])
    yield from _inside(text)


def _inside(text: str) -> Iterator[str]:
    """Formulas between dollar signs, then lines, from the last to the first, those with a sign of equality first."""
    math = [next(filter(None, match.groups())) for match in _MATH.finditer(text)]
    lines = math or [line for line in text.replace("$", " ").splitlines() if line.strip()]
    if not math and len(lines) > 1:
        whole = " ".join(lines)  # a formula broken over lines
        if _is_broken(lines):
            yield whole
    stated = [line for line in reversed(lines) if "=" in line]
    for line in [*stated, *(line for line in reversed(lines) if "=" not in line)]:
        yield line
        if leads := list(_LEAD.finditer(line)):
            yield line[leads[-1].end() :]
            yield line[leads[0].end() :]
        if "=" in line:
            yield line.rpartition("=")[2]


def _is_broken(lines: list[str]) -> bool:
    """Whether brackets or signs run over the ends of lines."""
    return any(
        line.count("(") + line.count("{") != line.count(")") + line.count("}")
        or line.rstrip()[-1:] in "+-*/="
        or following.lstrip()[:1] in "+*/="
        for line, following in pairwise(lines)
    )


def _boxed(text: str) -> str:
    """The content of the last box."""
    starts = [match.end() for match in _BOXED.finditer(text)]
    if not starts:
        return ""
    depth = 1
    for end in range(starts[-1], len(text)):
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        if not depth:
            return text[starts[-1] : end]
    return text[starts[-1] :]


def _trimmed(text: str) -> str:
    """The part without prose behind it; prose before a sign of equality goes too."""
    text = _STARS.sub(r" \1 ", text).strip()
    if (first := text.find("=")) > 0:
        head = text[:first]
        if words := list(_END.finditer(head)):
            text = head[words[-1].end() :] + text[first:]
    start = text.find("=") + 1
    for cut in (_SENTENCE, _END):
        for match in cut.finditer(text, start):
            if _is_level(text[start : match.start()]) and text[start : match.start()].strip():
                text = text[: match.start()]
                break
    return _UNIT.sub("", text.strip().rstrip(".,;").strip())


def _is_level(text: str) -> bool:
    """Whether every bracket in it is closed."""
    return all(text.count(a) <= text.count(b) for a, b in ("()", "{}", "[]"))
