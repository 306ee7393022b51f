"""Where in an answer stands its formula?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from circuitvlm.circuit.formula.definitions import definition, spoken
from circuitvlm.circuit.formula.names import Vocabulary
from circuitvlm.circuit.formula.words import WORDS, cleaned, with_plain_values, without_comments, without_unit

_BOXED = re.compile(r"\\boxed\s*\{")
_BRACE = re.compile(r"\\boxed\s*\{|[{}]")
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
_DEFINED = re.compile(r"\b(?:where|in\s+which|let(?!\s+us\b)|denote)\b(?!.*\bthen\b)", re.I | re.S)
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
_TRANSFER = re.compile(r"\s*\|?\s*(?:[HTGA](?![A-Za-z])|\\d?frac\s*\{\s*[Vv]|[Vv]\w*\s*/)[^=]{0,80}=")
_CASE = re.compile(r"\b(?:for|if|when|assuming|at|case)\b[^,]*$", re.I)
_MIDDLE = re.compile(rf"{_INLINE}[ ]*=[ ]*{_INLINE}?|=[ ]*{_INLINE}")
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


def equations(text: str, vocabulary: Vocabulary | None = None) -> Iterator[str]:
    """All equations of a text that are stated without a condition, in their order, also those beside a box."""
    flat = _MIDDLE.sub("=", _flat(with_plain_values(_unboxed(cleaned(text)))))
    for part in _parts(flat, vocabulary):
        sentence = re.split(r"[.?!](?=\s)", part.words)[-1]
        if re.search(r"[=≈]|\\(?:approx|equiv|triangleq|coloneqq)(?![a-z])", part.formula) and not _CASE.search(
            sentence
        ):
            yield part.formula


def _unboxed(text: str) -> str:
    """The text without its boxes, with what they hold."""
    boxes: list[bool] = []

    def kept(brace: re.Match[str]) -> str:
        if brace[0] != "}":
            boxes.append(len(brace[0]) > 1)
            return " " if boxes[-1] else brace[0]
        return " " if boxes and boxes.pop() else brace[0]

    return _BRACE.sub(kept, text)


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
    asides = _asides(parts, vocabulary, is_of_frequency=is_of_frequency)
    ranks = [
        (max(_ASIDE if aside else 0, _rank(part)), part.formula) for part, aside in zip(parts, asides, strict=True)
    ]
    ranks.reverse()
    return [formula for rank, formula in sorted(ranks, key=lambda pair: pair[0]) if rank < _UNUSED]


def _asides(parts: list[_Part], vocabulary: Vocabulary | None, *, is_of_frequency: bool) -> list[bool]:
    """Of each part, whether it only defines, conditions or refers, or is a constant where a function of s is wanted."""
    asides: list[bool] = []
    for before, part in zip([None, *parts], parts, strict=False):
        asides.append(_is_aside(part, before, aside=bool(asides and asides[-1])))
    behind = _behind(parts, asides, vocabulary, is_of_frequency=is_of_frequency)
    return [
        aside or at in behind or (is_of_frequency and _CONSTANT.match(parts[at].formula) is not None)
        for at, aside in enumerate(asides)
    ]


def _behind(
    parts: list[_Part], asides: list[bool], vocabulary: Vocabulary | None, *, is_of_frequency: bool
) -> set[int]:
    """The places of equations that define symbols of a formula before them, or of one another, in any order."""
    places: dict[str, list[int]] = {}
    todo: list[_Part] = []
    listed = False
    for at, (part, after) in enumerate(zip(parts, [*parts[1:], None], strict=False)):
        if not (asides[at] or is_of_frequency) and re.search(r"[A-Za-z]{2,}", part.words.replace("and", "")):
            listed = False  # a sentence of its own may state another quantity
        if listed and (made := definition(part.formula, vocabulary)) and made.name != "H":
            places.setdefault(made.name, []).append(at)
        if not asides[at] and _is_explained(part, after, is_of_frequency=is_of_frequency):
            todo.append(part)
            listed = True
    found: set[int] = set()
    while todo and places:
        for name in spoken(todo.pop().formula, vocabulary):
            found.update(places.get(name, ()))
            todo += [parts[at] for at in places.pop(name, ())]
    return found


def _is_explained(part: _Part, after: _Part | None, *, is_of_frequency: bool) -> bool:
    """Whether equations behind a formula define its symbols: of a transfer function, and before "where"."""
    if is_of_frequency and _TRANSFER.match(part.formula) and _rank(part) == 0:
        return True
    return after is not None and _DEFINED.search(after.words) is not None and _rank(part) <= 1


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
