"""Remove prose, markup and units from the text around a formula."""

from __future__ import annotations

import re

from circuitvlm.circuit.formula.lexer import FUNCTIONS
from circuitvlm.circuit.formula.notation import SYMBOL_NAMES

_COMMON_WORDS = (
    "where with for and is are was be the when if which since so then thus hence as in at of this that because given we"
    " us our you can by from to an using via it its has have had gives give get gets got into between across through"
    " node or on not no but see let find found both each all any than due only also still now here there these new two"
    " one three first last total low high pass band step part case use used our will must may yes volt volts ohm ohms"
    " amp amps sec per law KVL KCL LaTeX DC AC"
)
_FORMULA_WORDS = "|".join(
    sorted(FUNCTIONS | {name for name in SYMBOL_NAMES if len(name) > 3} | {"jomega", "piRC", "log10"})
)
_INDEXED_QUANTITY = (
    r"[A-Za-z](?:in|out|int|ext|load|bias|ref|tot|total|eq|th|sig|src|source|sense|test|diff|gate|drain|base|emitter"
    r"|max|min|pi|mu|ds|gs|be|ce|cc|ee|dd|ss|ox)"
)
WORDS = (
    rf"(?<![\w\\^_{{.*/+])(?<![*/+^]\s)(?:(?i:{'|'.join(_COMMON_WORDS.split())})(?![\w(_^]|\s*[*/^])"
    r"|[aA](?=\s+[a-z]{2,}(?:[\s.,;:!?-]|$))|I(?=\s+[a-z]{2,}\s)"
    rf"|(?!(?:{_FORMULA_WORDS}|gm[a-z]+|{_INDEXED_QUANTITY})\b)[A-Za-z][a-z]{{3,}}(?:'s|-[a-z]+)*(?![\w(_^]|\s*[*/^]|-?\d)"
    r"|[A-Za-z]+-(?:domain|parameter|pass|amp)\b)"
)
"""Pattern of a word of prose. A longer word beside a sign of multiplication may be a symbol (`gain*V1`)."""

_UNIT = (
    r"(?:\[|\()?\s*(?:\\?Omega|Ω|\u2126|[Oo]hms?|(?:V|A|mV|mA)/(?:V|A|mV|mA)|rad/s(?:ec)?|rad\s*/\s*s|k?Hz|[Ss]econds?|sec|[Vv]olts?"
    r"|[Aa]mps?|[Aa]mperes?|[Ss]iemens|[Ff]arads?|[Hh]enr(?:y|ies)|[Ww]atts?|dB{0})\s*(?:\]|\))?"
)
_SPACE = r"(?:\\[,;:! ]|~|\s)"
_BARE_UNIT = re.compile(rf"(?<=[\w)}}\]]){_SPACE}{{0,3}}{_UNIT.format('')}\s*$".replace("k?Hz", "Hz"))
_BRACKET_UNIT = re.compile(rf"(?<=[\w)}}\]]){_SPACE}{{1,3}}(?:\[[sVAWFHS]\]|\([sVAWFHS]\))\s*$")
_TEXT_UNIT = re.compile(
    rf"{_SPACE}{{0,3}}\\(?:text|mathrm|textrm|mbox|operatorname|rm)\s*"
    rf"\{{\s*{_UNIT.format('|V|A|s|S|H|F|W')}\s*\}}\s*$"
)
_PREFIX_EXPONENTS = {"": 0, "p": -12, "n": -9, "u": -6, "µ": -6, "μ": -6, "\\mu": -6, "m": -3, "k": 3, "M": 6, "G": 9}
_RELATION = re.compile(r"[=≈]|\\approx(?![a-z])")
_QUANTITY = re.compile(
    r"(\s*[-+−]?\s*\d[\d.,]*(?:\s*(?:×|\\times|\\cdot)\s*10\s*\^\s*(?:\{[-−]?\d{1,2}\}|[-−]?\d{1,2}))?)"
    rf"{_SPACE}{{0,3}}(?:\\(?:text|mathrm)\s*\{{\s*)?(p|n|u|µ|μ|\\mu|m|k|M|G|)\s*(?:\}}\s*)?(?:\\(?:text|mathrm)\s*\{{)?"
    r"\s*(?:\\?Omega|Ω|[Oo]hms?|V/V|V|A|Hz|s|F|H|W|S|rad/s)\s*\}?\s*"
)
_FINAL_QUANTITY = re.compile(rf"(?<==){_QUANTITY.pattern}(?=[.,;]?(?:[\s$\x01]|$))")
_COMMENT = re.compile(
    rf"\((?=[^()]*(?:{WORDS}|>|<|≫|≪|\\gg|\\ll|\\geq?(?![a-z])|\\leq?(?![a-z])|≥|≤))[^()*/^]*(?:\([^()]*\)[^()*/^]*)?\)"
)
_TEXT_COMMAND = re.compile(r"(?<!_)(?<!_\{)\\(?:text|textrm|mathrm|mbox|textbf|textit)\s*\{([^{}]*)\}")
_WORD = re.compile(WORDS)
_MARKUP_RULES = tuple(
    (re.compile(pattern, re.S | re.I), replacement)
    for pattern, replacement in (
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
        (r"(?:\\q?quad\s*|\s)\(\s*s\s*=\s*j\s*(?:\\omega|ω|w)\s*\)", " "),
        (
            r"[,\s]+(?:\\text\s*\{\s*)?(?:as|when|if|in the limit(?: of| as)?)(?:\s+|\s*\}\s*)[^\n=]{1,30}?"
            r"(?:\\(?:to|rightarrow)(?![A-Za-z])|→|->)\s*[-+]?"
            r"(?:\\infty(?![A-Za-z])|∞|0|infinity)",
            " ",
        ),
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
_LIST_MARKER = re.compile(
    r"^[ \t]*(?:#+|>|(?:\d{1,2}|[a-h])[.)]|\([a-h0-9]\)(?=\s+[A-Za-z\\$][^\n]*=)|[-•*](?=\s[^=\n+]*=))[ \t]+", re.M
)


def strip_markup(text: str) -> str:
    """Return the text without the markup of Markdown, HTML and LaTeX around lines, and without \\text{} of words."""
    for pattern, replacement in _MARKUP_RULES:
        text = pattern.sub(replacement, text)
    return _LIST_MARKER.sub("", _TEXT_COMMAND.sub(_unwrap_words, text))


def remove_comments(text: str) -> str:
    """Return the text without remarks in brackets: `(inverting)`, `(g_m R_E \\gg 1)`."""
    return _COMMENT.sub(" ", text)


def remove_unit(text: str) -> str:
    """Return the formula without its final unit: `\\Omega`, `V/V`, `\\text{ rad/s}`; `.. = R = 3 kΩ` ends in 3*10^3."""
    relations = list(_RELATION.finditer(text))
    if len(relations) > 1 and (quantity := _QUANTITY.fullmatch(text, relations[-1].end())):
        return f"{text[: quantity.end(1)]}*10^({_PREFIX_EXPONENTS[quantity[2]]})"
    for pattern in (_TEXT_UNIT, _BARE_UNIT, _BRACKET_UNIT):
        text = pattern.sub("", text)
    return text


def convert_quantities(text: str) -> str:
    """Return the text with numbers in place of quantities: `R = 3 kΩ` becomes `R = 3*10^(3)`."""
    return _FINAL_QUANTITY.sub(lambda match: f"{match[1]}*10^({_PREFIX_EXPONENTS[match[2]]}) ", text)


def _unwrap_words(match: re.Match[str]) -> str:
    content = match[1]
    is_prose = _WORD.search(f" {content} ") or " " in content.strip() or not re.search(r"\w", content)
    return f" {content} " if is_prose else match[0]
