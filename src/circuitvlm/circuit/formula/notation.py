"""Reduce the many notations of a formula (Unicode, LaTeX) to one notation."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from circuitvlm.circuit.quantity import MINUS_SIGNS

_LOWERCASE_GREEK = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho _ sigma tau upsilon phi"
    " chi psi omega"
)
GREEK_LETTERS = {
    **{chr(0x3B1 + i): name for i, name in enumerate(_LOWERCASE_GREEK.split()) if name != "_"},
    **{chr(0x391 + i): name.capitalize() for i, name in enumerate(_LOWERCASE_GREEK.split()) if name != "_"},
    "\u00b5": "mu",
    "\u2126": "Omega",
    "\u03d5": "phi",
    "\u03f5": "epsilon",
    "\u03d1": "theta",
}
"""The name of each Greek letter, by its character."""

SYMBOL_NAMES = frozenset(GREEK_LETTERS.values()) | {"varepsilon", "vartheta", "varphi", "ell", "infty"}
"""The names of Greek letters, and of the few other symbols that have a LaTeX command."""

_FONT_COMMANDS = "text mathrm mathbf mathit mathsf mathcal operatorname textrm textbf textit rm bm boldsymbol mbox"
FONT_COMMANDS = frozenset(_FONT_COMMANDS.split())
"""LaTeX commands that change the font of their argument."""

_CHARACTERS = str.maketrans(
    {
        **dict.fromkeys(MINUS_SIGNS, "-"),
        **dict.fromkeys("×·⋅∗∙•", "*"),
        **dict.fromkeys("÷∕⁄", "/"),
        **dict.fromkeys("∥‖", "||"),
        **dict.fromkeys("≅≃∼", "≈"),
        **dict.fromkeys("＝≡≜≐", "="),
        **dict.fromkeys("\u00a0\u202f\u2009", " "),
        **dict.fromkeys("\u2061\u200b", ""),
        **dict.fromkeys("′’", "'"),
        "√": "\\sqrt ",
        "\u2062": "*",
        "（": "(",
        "）": ")",
    }
)
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_SUBSCRIPT_CHARACTERS = "₀₁₂₃₄₅₆₇₈₉ₐₑₒₓₕₖₗₘₙₚₛₜᵢⱼᵣᵤᵥ"
_SUBSCRIPTS = str.maketrans(_SUBSCRIPT_CHARACTERS, "0123456789aeoxhklmnpstijruv")
_UNICODE_RULES: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺]+"), lambda m: "^{" + m[0].translate(_SUPERSCRIPTS) + "}"),
    (re.compile(f"[{_SUBSCRIPT_CHARACTERS}]+"), lambda m: "_{" + m[0].translate(_SUBSCRIPTS) + "}"),
    (re.compile("[½⅓¼⅔¾]"), lambda m: "({}/{})".format(*unicodedata.normalize("NFKC", m[0]).split("⁄"))),
    (re.compile("[\U0001d400-\U0001d7ff]"), lambda m: unicodedata.normalize("NFKC", m[0])),
)
_GROUP = r"(?:\{[^{}]*\}|\w)"
_LATEX_RULES = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"(?<=\d)\{,\}(?=\d{3}(?!\d))", ","),
        (r"\{(\w)\}(?=_)", r"\1"),
        (r"/(?:\s*(?:\\!|\\mkern-?\d+mu))+\s*/", "//"),
        (r"\\!|\\mkern-?\d+mu|\\(?:nonumber|notag)(?![A-Za-z])|\\(?:tag|label)\s*\{[^{}]*\}", " "),
        (r"\\left\s*\.|(?:\\right|\\[bB]igg?r?)?\s*\|_" + _GROUP, ""),  # the evaluation bar of a derivative
        (r"\\(?:left|right|[bB]igg?[lrm]?|displaystyle|textstyle|limits|quad|qquad)(?![A-Za-z])", " "),
        (r"(?<=\s)~(?=\s)|\\(?:sim|simeq|cong|approxeq)(?![A-Za-z])", "≈"),
        (r"\\[,;: ]|[~&]|\\\\(?:\[[^\]]*\])?", " "),
        (r"\s{2,}", " "),
        (r"\\math(?:bin|rel|op|ord|inner)\s*\{([^{}]*)\}", r" \1 "),
        (r"\{\s*(\\cdot|\\times|\*|/|=)\s*\}", r" \1 "),
        (r"\\(?:mid|vert)\s*\\(?:mid|vert)(?![A-Za-z])", "||"),
        (r"^([^|]*)\|\s+\|([^|]*)$", r"\1||\2"),
        (r" ?_ ?(?=[\w{\\])", "_"),
        (r"'\s*(_" + _GROUP + ")|((?:_" + _GROUP + r")?)\s*\^\s*\{?\s*(?:\\prime(?![A-Za-z])|')\s*\}?", r"\1\2'"),
        (r"\^(" + _GROUP + ")(_" + _GROUP + ")", r"\2^\1"),  # R^2_1
        (r"\\(?:angle|arg|Re|Im)(?![A-Za-z])|∠", " "),
    )
)


_DECIBELS = re.compile(r"(?<![\w.,])([12]0)\s*(?:\*|\\cdot|\\times)?\s*\\?log(?![\w^])")
"""20 log or 10 log, which is of base 10 by the convention of decibels."""

_LOGARITHM_OF_TEN = re.compile(r"l(?:og|n)[({ ]{0,3}10")
_OVER_OR_BRACE = re.compile(r"\\over(?![A-Za-z])|[{}]")


def canonical_name(name: str) -> str:
    """Return a symbol's name without underscores, braces, spaces and commands: R_{\\text{int}} is Rint, ω_0 omega0."""
    name = re.sub(r"\\(?:" + "|".join(FONT_COMMANDS) + r")(?![A-Za-z])", "", name)
    name = "".join(GREEK_LETTERS.get(c, c) for c in name.translate(_SUBSCRIPTS))
    return re.sub(r"[\s_{}\\,$<>]", "", name)


def normalize(text: str) -> str:
    """Return the text with one notation for each operator, and without commands that only affect the layout."""
    text = text.translate(_CHARACTERS)
    for pattern, replacement in (*_UNICODE_RULES, *_LATEX_RULES):
        text = pattern.sub(replacement, text)
    if not _LOGARITHM_OF_TEN.search(text):  # which makes a natural logarithm one of base 10
        text = _DECIBELS.sub(r"\1\\log_{10}", text)
    return _wrap_over(text)


def _wrap_over(text: str) -> str:
    """The text with braces around the side of an equation with an \\over outside all braces."""
    depth = 0
    for match in _OVER_OR_BRACE.finditer(text):
        depth += {"{": 1, "}": -1}.get(match[0], 0)
        if not depth and match[0] not in "{}":
            start = text.rfind("=", 0, match.start()) + 1
            return f"{text[:start]}{{{text[start:]}}}"
    return text
