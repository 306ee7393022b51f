"""Find the formulas of an answer, and which of them it states as its result."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from operator import itemgetter

from circuitvlm.circuit.formula.definitions import parse_definition, right_side_names
from circuitvlm.circuit.formula.prose import WORDS, convert_quantities, remove_comments, remove_unit, strip_markup
from circuitvlm.circuit.formula.vocabulary import Vocabulary

_BOX_START = re.compile(r"\\boxed\s*\{")
_BOX_OR_BRACE = re.compile(r"\\boxed\s*\{|[{}]")
_MATH = re.compile(r"\$\$(.+?)\$\$|\$(.+?)\$|\\\[((?:(?!\\\[).)+?)\\\]|\\\(((?:(?!\\\().)+?)\\\)", re.S)
_ANSWER_MARKER = re.compile(r"(?:final\s+answer|answer|result)\s*(?:is\b|:|=)", re.I)
_INLINE, _DISPLAY = "\x01", "\n"
_BOUNDARY = re.compile(
    rf"(?P<word>{WORDS})"
    r"|(?P<so>\\(?:Rightarrow|Longrightarrow|implies|rightarrow|to|therefore)(?![A-Za-z])|=>|->|[⇒⟹→∴])"
    rf"|(?P<sign>(?<!\\)[;,](?=\s|$|{_INLINE})|\.(?=\s+[A-Z\\$]|\s*$|\s*{_INLINE})|(?<!\\)[?!]|[\n{_INLINE}]|:(?!=))"
)
_ROW_END = re.compile(r"\\\\(?:\[[^\]]*\]|(?!\[))(?!\s*&?\s*[=+\-])")
_EMPTY_LINES = re.compile(r"\n(?:[^\S\n]*\n)+")
_CONTINUATION = re.compile(r"\s*\n(?=\s*&?\s*[+=/{^_]|\s*\*(?!\s))|(?<=[-+*/=(,{])[ \t]*\n(?!\s*\n)")
_ASSERTION = re.compile(
    r"(?:\b(?:is|are|be|equals?|gives?|yields?|becomes?|gets?|obtain|have|therefore|thus|hence|so|then|answer|result|as)"
    r"|[:\n])[\s,:\x01]*$",
    re.I,
)
_DEFINITION = re.compile(r"\b(?:where|in\s+which|let(?!\s+us\b)|denote)\b(?!.*\bthen\b)", re.I | re.S)
_CONDITION = re.compile(r"\b(?:for|if|when|with|since|assuming|given|at|here)\b[^,]*$", re.I)
_REFERENCE = re.compile(
    r"\b(?:from|to|of|across|through|between|by|into|at|node|using|nodes|step|case)\s*(?:the\s+)?\x01?\s*$", re.I
)
_VOLTAGE_RATIO = re.compile(
    r"=\s*(?:\\d?frac\s*\{\s*[Vv][^{}+*-]*(?:\{\w*\}[^{}+*-]*)?\}\s*\{\s*[Vv][^{}+*-]*(?:\{\w*\}[^{}+*-]*)?\}"
    r"|[Vv][\w{}]*(?:\(\w+\))?\s*/\s*[Vv][\w{}]*(?:\(\w+\))?)\s*$"
)
_EDGES = re.compile(r"^\s+|(?:\\[,;:! ]|\\q?quad(?![A-Za-z])|[\s~.,;]){1,8}$")
_CIRCUIT_CONSTANT = re.compile(
    r"\\?(?:omega|ω|[wfpzQTK]|tau|τ|zeta|ζ|alpha|α|BW|GBW)'?(?:_\w+|_\{[^{}]*(?:\{[^{}]*\})?\}|[a-z0-9₀-₉]{0,3})\s*(?:[=≈]|\\approx)"
)
_TRANSFER_FUNCTION = re.compile(r"\s*\|?\s*(?:[HTGA](?![A-Za-z])|\\d?frac\s*\{\s*[Vv]|[Vv]\w*\s*/)[^=]{0,80}=")
_CASE_CONDITION = re.compile(r"\b(?:for|if|when|assuming|at|case)\b[^,]*$", re.I)
_SPLIT_EQUALITY = re.compile(rf"{_INLINE}[ ]*=[ ]*{_INLINE}?|=[ ]*{_INLINE}")
_RELATION = re.compile(r"[=≈]|\\(?:approx|equiv|triangleq|coloneqq)(?![a-z])")
_QUAD = re.compile(r"(?<=[\w)}\]])\s*\\q?quad(?![A-Za-z])(?=\s*(?:[A-Za-z(]|\\(?!R|i|to)))")
MAX_CANDIDATES = 8
_SIDE_NOTE_RANK, _NO_FORMULA_RANK = 3, 4


@dataclass(frozen=True, slots=True)
class _Fragment:
    """A formula, the words before it, and the sign that ends it."""

    words: str
    formula: str
    end_sign: str

    @property
    def sentence(self) -> str:
        """The words of the formula's own sentence."""
        return re.split(r"[.?!](?=\s)", self.words)[-1]


def find_candidates(
    text: str, vocabulary: Vocabulary | None = None, *, is_function_of_s: bool = False
) -> Iterator[str]:
    """Yield up to MAX_CANDIDATES texts that may be the formula, the likeliest first, each without prose around it.

    `is_function_of_s`: a function of s is expected, not a constant of the circuit such as a cutoff frequency.
    """
    formulas: set[str] = set()
    for passage in _likely_passages(strip_markup(text)):
        ranked_formulas = _rank_formulas(passage, vocabulary, is_function_of_s=is_function_of_s)
        for formula in (text for f in ranked_formulas for text in (f, f.rpartition("=")[2])):
            if formula.strip() and formula not in formulas:
                formulas.add(formula)
                yield formula
            if len(formulas) == MAX_CANDIDATES:
                return


def find_equations(text: str, vocabulary: Vocabulary | None = None) -> Iterator[str]:
    """Yield all equations of a text that hold without a condition, in their order, also those outside a box."""
    plain_text = _flatten_math(convert_quantities(_remove_boxes(strip_markup(text))))
    for fragment in _split_fragments(_SPLIT_EQUALITY.sub("=", plain_text), vocabulary):
        if _RELATION.search(fragment.formula) and not _CASE_CONDITION.search(fragment.sentence):
            yield fragment.formula


def _remove_boxes(text: str) -> str:
    """Return the text with the content of each box in place of the box."""
    is_box: list[bool] = []  # of each brace that is open

    def replace_brace(brace: re.Match[str]) -> str:
        if brace[0] != "}":
            is_box.append(len(brace[0]) > 1)
            return " " if is_box[-1] else brace[0]
        return " " if is_box and is_box.pop() else brace[0]

    return _BOX_OR_BRACE.sub(replace_brace, text)


def _likely_passages(text: str) -> list[str]:
    if box := _last_box(text):
        return [box]
    markers = list(_ANSWER_MARKER.finditer(text))
    return [*(": " + text[marker.end() :] for marker in markers[-1:]), text]


def _last_box(text: str) -> str:
    """Return the content of the last box, up to the end of the text if it is not closed; empty if there is none."""
    starts = [match.end() for match in _BOX_START.finditer(text)]
    depth = 1
    for end in range(starts[-1], len(text)) if starts else ():
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        if not depth:
            return text[starts[-1] : end]
    return text[starts[-1] :] if starts else ""


def _rank_formulas(text: str, vocabulary: Vocabulary | None, *, is_function_of_s: bool) -> list[str]:
    """Return the formulas of a text: results first, then side notes; of each rank the last one first."""
    fragments = list(_split_fragments(remove_comments(_flatten_math(text)), vocabulary))
    if len(fragments) == 1 and not re.search(r"[A-Za-z]{2,}", fragments[0].words):
        return [fragments[0].formula]
    side_notes = _find_side_notes(fragments, vocabulary, is_function_of_s=is_function_of_s)
    ranks = [
        (max(_rank(fragment), _SIDE_NOTE_RANK if is_side_note else 0), fragment.formula)
        for fragment, is_side_note in zip(reversed(fragments), reversed(side_notes), strict=True)
    ]
    return [formula for rank, formula in sorted(ranks, key=itemgetter(0)) if rank < _NO_FORMULA_RANK]


def _find_side_notes(
    fragments: list[_Fragment], vocabulary: Vocabulary | None, *, is_function_of_s: bool
) -> list[bool]:
    """Return for each fragment whether it is a side note (`_is_side_note`), or defines a symbol of a formula before it.

    Where a function of s is expected, a constant of the circuit is a side note as well.
    """
    side_notes: list[bool] = []
    for previous, fragment in zip([None, *fragments], fragments, strict=False):
        side_notes.append(_is_side_note(fragment, previous, follows_side_note=side_notes[-1:] == [True]))
    definitions = _find_later_definitions(fragments, side_notes, vocabulary, is_function_of_s=is_function_of_s)
    return [
        is_side_note
        or i in definitions
        or (is_function_of_s and _CIRCUIT_CONSTANT.match(fragments[i].formula) is not None)
        for i, is_side_note in enumerate(side_notes)
    ]


def _find_later_definitions(
    fragments: list[_Fragment], side_notes: list[bool], vocabulary: Vocabulary | None, *, is_function_of_s: bool
) -> set[int]:
    """Return the indices of equations that define symbols of a formula before them, or of one another, in any order."""
    indices: dict[str, list[int]] = {}
    unvisited_fragments: list[_Fragment] = []
    is_listing = False
    for i, (fragment, next_fragment) in enumerate(zip(fragments, [*fragments[1:], None], strict=False)):
        if not (side_notes[i] or is_function_of_s) and re.search(r"[A-Za-z]{2,}", fragment.words.replace("and", "")):
            is_listing = False  # a sentence of its own may state another quantity
        if is_listing and (definition := parse_definition(fragment.formula, vocabulary)) and definition.name != "H":
            indices.setdefault(definition.name, []).append(i)
        if not side_notes[i] and _has_later_definitions(fragment, next_fragment, is_function_of_s=is_function_of_s):
            unvisited_fragments.append(fragment)
            is_listing = True
    later_definitions: set[int] = set()
    while unvisited_fragments and indices:
        for name in right_side_names(unvisited_fragments.pop().formula, vocabulary):
            unvisited_fragments += [fragments[i] for i in indices.get(name, ())]
            later_definitions.update(indices.pop(name, ()))
    return later_definitions


def _has_later_definitions(fragment: _Fragment, next_fragment: _Fragment | None, *, is_function_of_s: bool) -> bool:
    """Whether equations after a formula define its symbols: after a transfer function, or before "where"."""
    if is_function_of_s and _TRANSFER_FUNCTION.match(fragment.formula) and _rank(fragment) == 0:
        return True
    return next_fragment is not None and _DEFINITION.search(next_fragment.words) is not None and _rank(fragment) <= 1


def _flatten_math(text: str) -> str:
    """Return the text with marks around inline formulas and new lines around displayed ones, each on one line."""

    def mark_formula(match: re.Match[str]) -> str:
        formula = match[1] or match[2] or match[3] or match[4]
        formula = _QUAD.sub(", ", _ROW_END.sub("\n", re.sub(r"\s*\n\s*", " ", formula)))
        mark = _INLINE if match[2] or match[4] else _DISPLAY
        return mark + formula + mark

    text = _ROW_END.sub("\n", _MATH.sub(mark_formula, text).replace("$", " "))
    return _CONTINUATION.sub(" ", _EMPTY_LINES.sub("\n\n", text))


def _split_fragments(text: str, vocabulary: Vocabulary | None) -> Iterator[_Fragment]:
    """Yield the formulas between words, signs and lines; a boundary in brackets does not count."""
    words, start, scan_end, depth = "", 0, 0, 0
    for match in [*_BOUNDARY.finditer(text), None]:
        end = match.start() if match else len(text)
        depth += sum(text.count(c, scan_end, end) for c in "({[") - sum(text.count(c, scan_end, end) for c in ")}]")
        scan_end = end
        if match and (depth > 0 or (match["word"] and _is_symbol(match, vocabulary))):
            continue
        sign = match[0] if match else ""
        if formula := _trim(text[start:end]):
            yield _Fragment(words, formula, sign)
            words = ""
        words += " so " if match and match["so"] else f" {sign} " if match and match["word"] else sign
        start = scan_end = match.end() if match else end
        depth = 0


def _is_symbol(word: re.Match[str], vocabulary: Vocabulary | None) -> bool:
    """Whether a word is one or several symbols: of the vocabulary, or `-Is` at the end of a formula."""
    if vocabulary is not None and (vocabulary.find(word[0]) or vocabulary.split(word[0])):
        return True
    previous_char = word.string[: word.start()].rstrip(" ")[-1:]
    next_char = word.string[word.end() :].lstrip(" ")[:1]
    return previous_char == "-" and next_char in ("", ")", "+", "-", "=", _INLINE) and word[0][0].isupper()


def _trim(formula: str) -> str:
    formula = _EDGES.sub("", formula).strip("\"'")
    if formula.startswith("*") and formula.endswith("*"):
        formula = formula.strip("*_ ")
    formula = remove_unit(formula).strip()
    return formula.removesuffix("=").strip() if formula.count("=") > 1 else formula  # H = R1/R2 = constant


def _is_side_note(fragment: _Fragment, previous: _Fragment | None, *, follows_side_note: bool) -> bool:
    """Whether a formula is not what the text states, but a definition, a condition, or a part of a sentence."""
    if _DEFINITION.search(fragment.sentence) or re.match(r"s\s*=", fragment.formula):
        return True
    if previous is not None and not re.search(r"[.?!\n]", fragment.words):
        words = fragment.words.replace(_INLINE, " ").split()
        continues_note = follows_side_note and set(words) <= {"is", "are", "and", ",", ";", "=", "or", ":"}
        if continues_note or ("=" in previous.formula and words in ([","], [";"], [",", "and"])):
            return True
    return not _ASSERTION.search(fragment.sentence) and bool(
        _CONDITION.search(fragment.sentence) or _REFERENCE.search(fragment.sentence)
    )


def _rank(fragment: _Fragment) -> int:
    """Return 0 for a result, 1 for a formula without a statement, 2 for the name of a ratio, 4 for no formula."""
    formula = fragment.formula
    if formula.rstrip().endswith("="):
        return _NO_FORMULA_RANK
    if _VOLTAGE_RATIO.search(formula):
        return 2
    is_alone = (fragment.words == "" or fragment.words.endswith("\n")) and fragment.end_sign in ("", "\n")
    is_asserted = bool(_ASSERTION.search(fragment.words)) and (fragment.words.strip() != "" or is_alone)
    if "=" in formula or "≈" in formula or "\\approx" in formula:
        return 0
    has_operator = bool(re.search(r"[-+*/^]|\\d?t?frac|\\parallel|\|\||∥", formula))
    if not re.search(r"[A-Za-zα-ωΑ-Ω]", formula) and not is_alone:
        return 1 if is_asserted else _NO_FORMULA_RANK  # `The gain at DC is 1.` has rank 1, `Step 2` none
    if is_asserted or is_alone:
        return 0 if has_operator or is_alone or not fragment.words.endswith("\n") else 2
    return 1 if has_operator else _NO_FORMULA_RANK
