"""Where in an answer stands its formula?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from circuitvlm.circuit._mathnames import Vocabulary
from circuitvlm.circuit._mathwords import WORDS, cleaned, without_comments, without_unit

_BOXED = re.compile(r"\\boxed\s*\{")
_MATH = re.compile(r"\$\$(.+?)\$\$|\$(.+?)\$|\\\[((?:(?!\\\[).)+?)\\\]|\\\(((?:(?!\\\().)+?)\\\)", re.S)
_MARKER = re.compile(r"(?:final\s+answer|answer|result)\s*(?:is\b|:|=)", re.I)
_INLINE, _DISPLAY = "\x01", "\n"
_BREAK = re.compile(
    rf"(?P<word>{WORDS})"
    r"|(?P<so>\\(?:Rightarrow|Longrightarrow|implies|rightarrow|to|therefore)(?![A-Za-z])|=>|->|[⇒⟹→∴])"
    rf"|(?P<sign>(?<!\\)[;,](?=\s|$|{_INLINE})|\.(?=\s+[A-Z\\$]|\s*$|\s*{_INLINE})|(?<!\\)[?!]|[\n{_INLINE}]|:(?!=))"
)
_ROW = re.compile(r"\\\\(?:\[[^\]]*\]|(?!\[))(?!\s*&?\s*[=+\-])")
_LINES = re.compile(r"\n(?:[^\S\n]*\n)+")
_NEXT_LINE = re.compile(r"\s*\n(?=\s*&?\s*[+=/{^_]|\s*\*(?!\s))|(?<=[-+*/=(,{])[ \t]*\n(?!\s*\n)")
_ASSERTED = re.compile(
    r"(?:\b(?:is|are|be|equals?|gives?|yields?|becomes?|gets?|obtain|have|therefore|thus|hence|so|then|answer|result|as)"
    r"|[:\n])[\s,:\x01]*$",
    re.I,
)
_DEFINED = re.compile(r"\b(?:where|let(?!\s+us\b)|denote)\b(?!.*\bthen\b)", re.I | re.S)
_CONDITION = re.compile(r"\b(?:for|if|when|with|since|assuming|given|at|here)\b[^,]*$", re.I)
_REFERRED = re.compile(
    r"\b(?:from|to|of|across|through|between|by|into|at|node|using|nodes|step|case)\s*(?:the\s+)?\x01?\s*$", re.I
)
_RATIO = re.compile(
    r"=\s*(?:\\d?frac\s*\{\s*[Vv][^{}+*-]*(?:\{\w*\}[^{}+*-]*)?\}\s*\{\s*[Vv][^{}+*-]*(?:\{\w*\}[^{}+*-]*)?\}"
    r"|[Vv][\w{}]*(?:\(\w+\))?\s*/\s*[Vv][\w{}]*(?:\(\w+\))?)\s*$"
)
_EDGE = re.compile(r"^\s+|(?:\\[,;:! ]|\\q?quad(?![A-Za-z])|[\s~.,;]){1,8}$")
_CONSTANT = re.compile(
    r"\\?(?:omega|ω|[wfpzQTK]|tau|τ|zeta|ζ|alpha|α|BW|GBW)'?(?:_\w+|_\{[^{}]*(?:\{[^{}]*\})?\}|[a-z0-9₀-₉]{0,3})\s*(?:[=≈]|\\approx)"
)
MOST = 8
_ASIDE, _UNUSED = 3, 4


@dataclass(frozen=True, slots=True)
class _Part:
    """A formula, the words before it, and the sign behind it."""

    words: str
    formula: str
    behind: str


def candidates(text: str, vocabulary: Vocabulary | None = None, *, is_of_frequency: bool = False) -> Iterator[str]:
    """The places where the formula may stand, the likeliest first, each without the prose around it; at most 8.

    `is_of_frequency`: a function of s is wanted, no constant of the circuit such as a cutoff frequency.
    """
    text = cleaned(text)
    seen: set[str] = set()
    for place in _places(text):
        for found in _ranked(place, vocabulary, is_of_frequency=is_of_frequency):
            for form in (found, found.rpartition("=")[2]):
                if form.strip() and form not in seen:
                    seen.add(form)
                    yield form
                if len(seen) == MOST:
                    return


def _places(text: str) -> Iterator[str]:
    if boxed := _boxed(text):
        yield boxed
        return
    if marks := list(_MARKER.finditer(text)):
        yield ": " + text[marks[-1].end() :]
    yield text


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


def _ranked(text: str, vocabulary: Vocabulary | None, *, is_of_frequency: bool) -> list[str]:
    """The formulas of a text: stated ones, others, then what only defines or names; in each class the last first."""
    text = without_comments(_flat(text))
    parts = list(_parts(text, vocabulary))
    if len(parts) == 1 and not re.search(r"[A-Za-z]{2,}", parts[0].words):
        return [parts[0].formula]
    ranks: list[tuple[int, str]] = []
    aside = False
    for number, part in enumerate(parts):
        aside = _is_aside(part, parts[number - 1] if number else None, aside=aside)
        aside_now = aside or (is_of_frequency and _CONSTANT.match(part.formula))
        ranks.append((max(_ASIDE if aside_now else 0, _rank(part)), part.formula))
    ranks.reverse()
    return [formula for rank, formula in sorted(ranks, key=lambda pair: pair[0]) if rank < _UNUSED]


def _flat(text: str) -> str:
    """The text with one sign around formulas in a line, new lines around displayed ones, and no line broken within."""

    def marked(match: re.Match[str]) -> str:
        inner = match[1] or match[2] or match[3] or match[4]
        inner = re.sub(r"\s*\n\s*", " ", inner)
        inner = _ROW.sub("\n", inner)
        inner = re.sub(r"(?<=[\w)}\]])\s*\\q?quad(?![A-Za-z])(?=\s*(?:[A-Za-z(]|\\(?!R|i|to)))", ", ", inner)
        mark = _INLINE if match[2] or match[4] else _DISPLAY
        return mark + inner + mark

    return _NEXT_LINE.sub(" ", _LINES.sub("\n\n", _ROW.sub("\n", _MATH.sub(marked, text).replace("$", " "))))


def _parts(text: str, vocabulary: Vocabulary | None) -> Iterator[_Part]:
    """The formulas between words, signs and lines."""
    words, begin, last, depth = "", 0, 0, 0
    for match in [*_BREAK.finditer(text), None]:
        end = match.start() if match else len(text)
        depth += sum(text.count(c, last, end) for c in "({[") - sum(text.count(c, last, end) for c in ")}]")
        last = end
        sign = match[0] if match else ""
        if match and (depth > 0 or (match["word"] and _is_symbol(match, vocabulary))):
            continue
        formula = _trimmed(text[begin:end])
        if formula:
            yield _Part(words, formula, sign)
            words = ""
        words += " so " if match and match["so"] else f" {sign} " if match and match["word"] else sign
        begin, depth = (match.end() if match else end), 0
        last = begin


def _is_symbol(word: re.Match[str], vocabulary: Vocabulary | None) -> bool:
    """Whether what looks like a word is a symbol, or several: one that is known, or `-Is` at the end."""
    if vocabulary is not None and (vocabulary.find(word[0]) or vocabulary.cut(word[0])):
        return True
    before, behind = word.string[: word.start()].rstrip(" ")[-1:], word.string[word.end() :].lstrip(" ")[:1]
    return before == "-" and behind in ("", ")", "+", "-", "=", _INLINE) and word[0][0].isupper()


def _trimmed(formula: str) -> str:
    formula = _EDGE.sub("", formula).strip("\"'")
    if formula.startswith("*") and formula.endswith("*"):
        formula = formula.strip("*_ ")
    formula = without_unit(formula).strip()
    return formula.removesuffix("=").strip() if formula.count("=") > 1 else formula  # H = R1/R2 = constant


def _is_aside(part: _Part, before: _Part | None, *, aside: bool) -> bool:
    """Whether a formula defines, conditions or refers, and so is not what the text states."""
    sentence = re.split(r"[.?!](?=\s)", part.words)[-1]
    if _DEFINED.search(sentence):
        return True
    asserted = _ASSERTED.search(sentence)
    if before is not None and not re.search(r"[.?!\n]", part.words):
        words = part.words.replace(_INLINE, " ").split()
        if aside and set(words) <= {"is", "are", "and", ",", ";", "=", "or", ":"}:
            return True
        if "=" in before.formula and words in ([","], [";"], [",", "and"]):
            return True
    if not asserted and (_CONDITION.search(sentence) or _REFERRED.search(sentence)):
        return True
    return bool(re.match(r"s\s*=", part.formula))


def _rank(part: _Part) -> int:
    """0 for what is stated, 1 for a formula that only stands there, 2 for a name with its ratio; 4 for no formula."""
    formula = part.formula
    if formula.rstrip().endswith("="):
        return _UNUSED
    if _RATIO.search(formula):
        return 2
    alone = (part.words == "" or part.words.endswith("\n")) and part.behind in ("", "\n")
    asserted = bool(_ASSERTED.search(part.words)) and (part.words.strip() != "" or alone)
    if "=" in formula or "≈" in formula or "\\approx" in formula:
        return 0
    substantial = bool(re.search(r"[-+*/^]|\\d?t?frac|\\parallel|\|\||∥", formula))
    if not re.search(r"[A-Za-zα-ωΑ-Ω]", formula) and not alone:
        return 1 if asserted else _UNUSED  # `The gain at DC is 1.` comes after what is stated, `Step 2` never
    if asserted or alone:
        return 0 if substantial or alone or not part.words.endswith("\n") else 2
    return 1 if substantial else _UNUSED
