"""How is one sign of a formula spelled, of the many ways there are?"""

from __future__ import annotations

import re
import unicodedata

from circuitvlm.circuit.quantity import MINUS_SIGNS

_GREEK_WORDS = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho _ sigma tau upsilon phi"
    " chi psi omega"
)
_GREEK = _GREEK_WORDS.split()
LETTERS = {chr(0x3B1 + i): name for i, name in enumerate(_GREEK) if name != "_"}
LETTERS |= {chr(0x391 + i): name.capitalize() for i, name in enumerate(_GREEK) if name != "_"}
LETTERS |= {"\u00b5": "mu", "\u2126": "Omega", "\u03d5": "phi", "\u03f5": "epsilon", "\u03d1": "theta"}
NAMES = frozenset(LETTERS.values()) | {"varepsilon", "vartheta", "varphi", "ell", "infty"}
"""The names of Greek letters, and the few others that LaTeX has for symbols."""

_WRAPPERS = "text mathrm mathbf mathit mathsf mathcal operatorname textrm textbf textit rm bm boldsymbol mbox"
WRAPPERS = frozenset(_WRAPPERS.split())
"""Commands that change the look of letters."""

_SIGNS = {
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
_HIGH = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_LOW_SIGNS = "₀₁₂₃₄₅₆₇₈₉ₐₑₒₓₕₖₗₘₙₚₛₜᵢⱼᵣᵤᵥ"
_LOW = str.maketrans(_LOW_SIGNS, "0123456789aeoxhklmnpstijruv")
_UNICODE = (
    (re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺]+"), lambda m: "^{" + m[0].translate(_HIGH) + "}"),
    (re.compile(f"[{_LOW_SIGNS}]+"), lambda m: "_{" + m[0].translate(_LOW) + "}"),
    (re.compile("[½⅓¼⅔¾]"), lambda m: "({}/{})".format(*unicodedata.normalize("NFKC", m[0]).split("⁄"))),
    (re.compile("[\U0001d400-\U0001d7ff]"), lambda m: unicodedata.normalize("NFKC", m[0])),
)
_GROUP = r"(?:\{[^{}]*\}|\w)"
_SPELLINGS = tuple(
    (re.compile(pattern), put)
    for pattern, put in (
        (r"/(?:\s*(?:\\!|\\mkern-?\d+mu))+\s*/", "//"),
        (r"\\!|\\mkern-?\d+mu|\\(?:nonumber|notag)(?![A-Za-z])|\\(?:tag|label)\s*\{[^{}]*\}", " "),
        (r"\\left\s*\.|(?:\\right|\\[bB]igg?r?)?\s*\|_" + _GROUP, ""),  # a bar that says where a derivative is taken
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


def canonical(name: str) -> str:
    """A symbol's name without underscores, braces, spaces and commands: R_{\\text{int}} is Rint, ω_0 is omega0."""
    name = re.sub(r"\\(?:" + "|".join(WRAPPERS) + r")(?![A-Za-z])", "", name)
    name = "".join(LETTERS.get(c, c) for c in name.translate(_LOW))
    return re.sub(r"[\s_{}\\,$<>]", "", name)


def normal(text: str) -> str:
    """The text with one spelling for each sign, and without commands that only place things."""
    if not text.isascii():
        text = "".join(_SIGNS.get(c, c) for c in text)
        for pattern, put in _UNICODE:
            text = pattern.sub(put, text)
    for pattern, spelled in _SPELLINGS:
        text = pattern.sub(spelled, text)
    return text
