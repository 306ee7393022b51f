"""Which part of an answer is prose, and what in it only typesets?"""

from __future__ import annotations

import re

from circuitvlm.circuit.formula.lexer import FUNCTIONS
from circuitvlm.circuit.formula.signs import NAMES

_SHORT = (
    "where with for and is are was be the when if which since so then thus hence as in at of this that because given we"
    " us our you can by from to an using via it its has have had gives give get gets got into between across through"
    " node or on not no but see let find found both each all any than due only also still now here there these new two"
    " one three first last total low high pass band step part case use used our will must may yes volt volts ohm ohms"
    " amp amps sec per law KVL KCL LaTeX DC AC"
)
_NOT_PROSE = "|".join(sorted(FUNCTIONS | {name for name in NAMES if len(name) > 3} | {"jomega", "piRC", "log10"}))
_QUANTITY = (
    r"[A-Za-z](?:in|out|int|ext|load|bias|ref|tot|total|eq|th|sig|src|source|sense|test|diff|gate|drain|base|emitter"
    r"|max|min|pi|mu|ds|gs|be|ce|cc|ee|dd|ss|ox)"
)
WORDS = (
    rf"(?<![\w\\^_{{.*/+])(?<![*/+^]\s)(?:(?i:{'|'.join(_SHORT.split())})(?![\w(_^]|\s*[*/^])"
    r"|[aA](?=\s+[a-z]{2,}(?:[\s.,;:!?-]|$))|I(?=\s+[a-z]{2,}\s)"
    rf"|(?!(?:{_NOT_PROSE}|gm[a-z]+|{_QUANTITY})\b)[A-Za-z][a-z]{{3,}}(?:'s|-[a-z]+)*(?![\w(_^]|\s*[*/^]|-?\d)"
    r"|[A-Za-z]+-(?:domain|parameter|pass|amp)\b)"
)
"""A word of prose. A longer word beside a sign of multiplication may be a symbol (`gain*V1`)."""

_UNITS = (
    r"(?:\[|\()?\s*(?:\\?Omega|Ω|\u2126|[Oo]hms?|(?:V|A|mV|mA)/(?:V|A|mV|mA)|rad/s(?:ec)?|rad\s*/\s*s|k?Hz|[Ss]econds?|sec|[Vv]olts?"
    r"|[Aa]mps?|[Aa]mperes?|[Ss]iemens|[Ff]arads?|[Hh]enr(?:y|ies)|[Ww]atts?|dB{0})\s*(?:\]|\))?"
)
_SPACE = r"(?:\\[,;:! ]|~|\s)"
_BARE_UNIT = re.compile(rf"(?<=[\w)}}\]]){_SPACE}{{0,3}}{_UNITS.format('')}\s*$".replace("k?Hz", "Hz"))
_BRACKET_UNIT = re.compile(rf"(?<=[\w)}}\]]){_SPACE}{{1,3}}(?:\[[sVAWFHS]\]|\([sVAWFHS]\))\s*$")
_TEXT_UNIT = re.compile(
    rf"{_SPACE}{{0,3}}\\(?:text|mathrm|textrm|mbox|operatorname|rm)\s*"
    rf"\{{\s*{_UNITS.format('|V|A|s|S|H|F|W')}\s*\}}\s*$"
)
_PREFIXES = {"": 0, "p": -12, "n": -9, "u": -6, "µ": -6, "μ": -6, "\\mu": -6, "m": -3, "k": 3, "M": 6, "G": 9}
_RELATION = re.compile(r"[=≈]|\\approx(?![a-z])")
_EVALUATED = re.compile(
    r"(\s*[-+−]?\s*\d[\d.,]*(?:\s*(?:×|\\times|\\cdot)\s*10\s*\^\s*(?:\{[-−]?\d{1,2}\}|[-−]?\d{1,2}))?)"
    rf"{_SPACE}{{0,3}}(?:\\(?:text|mathrm)\s*\{{\s*)?(p|n|u|µ|μ|\\mu|m|k|M|G|)\s*(?:\}}\s*)?(?:\\(?:text|mathrm)\s*\{{)?"
    r"\s*(?:\\?Omega|Ω|[Oo]hms?|V/V|V|A|Hz|s|F|H|W|S|rad/s)\s*\}?\s*"
)
_MEASURED = re.compile(rf"(?<==){_EVALUATED.pattern}(?=[.,;]?(?:[\s$\x01]|$))")
_COMMENT = re.compile(
    rf"\((?=[^()]*(?:{WORDS}|>|<|≫|≪|\\gg|\\ll|\\geq?(?![a-z])|\\leq?(?![a-z])|≥|≤))[^()*/^]*(?:\([^()]*\)[^()*/^]*)?\)"
)
_WORDED = re.compile(r"(?<!_)(?<!_\{)\\(?:text|textrm|mathrm|mbox|textbf|textit)\s*\{([^{}]*)\}")
_WORD = re.compile(WORDS)
_CLEAN = tuple(
    (re.compile(pattern, re.S | re.I), put)
    for pattern, put in (
        (r"[^\S\n]+", " "),
        (r"\n(?: ?\n)+", "\n\n"),
        (r"^.*</think>", " "),
        (r"<sub>([^<]*)</sub>", r"_{\1}"),
        (r"<sup>([^<]*)</sup>", r"^{\1}"),
        (r"</?(?:answer|think|final|p|b|i|br|strong|em|code)\s*/?>", "\n"),
        (r"```[a-z]*\n?|`", "\n"),
        (r"\\begin\s*\{array\}\s*\{[^{}]*\}|\\(?:begin|end)\s*\{[a-z]+\*?\}", " "),
        (r"(?<!\\)\\\\(?=(?:frac|dfrac|left|right|cdot|omega|text|parallel|sqrt|boxed)(?![a-z]))", r"\\"),
        (r"\\fbox\s*\{", r"\\boxed{"),
        (r"\*\*(?=\S)([^*\n]+?)\*\*(?![\w(])", r" \1 "),
        (r"(?<=[,;.:])\s*(?:\\(?:q?quad(?![A-Za-z])|[,; ])|~)", " "),
        (r",(?=\\?[A-Za-z][\w\\{}]{0,40}\s*=)", ", "),
        (r"(?<=[\w)}\]])\s*\\q?quad\s*\((?:\d[\d.]*|[a-z])\)", " "),  # the number of an equation
        (r"(?<!\\)\(\s*((?:where|with|in which|here|let)\b[^()=]*=[^()]*(?:\([^()]*\)[^()]*)*)\)", r", \1\n"),
        (
            r"(?:\b(?:equal(?:s|ed)?|reduces?|simplif\w+|leads|given|described|expressed|written|amounts))\s+(?:to|by|as)\b",
            " is ",
        ),
    )
)
_LIST = re.compile(
    r"^[ \t]*(?:#+|>|(?:\d{1,2}|[a-h])[.)]|\([a-h0-9]\)(?=\s+[A-Za-z\\$][^\n]*=)|[-•*](?=\s[^=\n+]*=))[ \t]+", re.M
)


def cleaned(text: str) -> str:
    """The text without the marks of Markdown, HTML and LaTeX around its lines; words in \\text{} stand alone."""
    for pattern, put in _CLEAN:
        text = pattern.sub(put, text)
    text = _WORDED.sub(_unwrapped, text)
    return _LIST.sub("", text)


def without_comments(text: str) -> str:
    """The text without remarks in brackets: `(inverting)`, `(g_m R_E \\gg 1)`."""
    return _COMMENT.sub(" ", text)


def without_unit(text: str) -> str:
    """The formula without the unit behind it: `\\Omega`, `V/V`, `\\text{ rad/s}`; `.. = R = 3 kΩ` ends in 3*10^3."""
    relations = list(_RELATION.finditer(text))
    if len(relations) > 1 and (said := _EVALUATED.fullmatch(text, relations[-1].end())):
        return f"{text[: said.end(1)]}*10^({_PREFIXES[said[2]]})"
    for pattern in (_TEXT_UNIT, _BARE_UNIT, _BRACKET_UNIT):
        text = pattern.sub("", text)
    return text


def with_plain_values(text: str) -> str:
    """The text with numbers for quantities: `R = 3 kΩ` is `R = 3*10^(3)`."""
    return _MEASURED.sub(lambda said: f"{said[1]}*10^({_PREFIXES[said[2]]}) ", text)


def _unwrapped(match: re.Match[str]) -> str:
    inner = match[1]
    is_word = _WORD.search(f" {inner} ") or " " in inner.strip() or not re.search(r"\w", inner)
    return f" {inner} " if is_word else match[0]
