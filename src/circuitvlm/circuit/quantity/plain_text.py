"""Convert text with LaTeX and Markdown to plain characters."""

from __future__ import annotations

import re
import unicodedata

from circuitvlm.circuit.quantity.unit import find_unit

BOX, BOX_END, BOLD = "\ue000", "\ue001", "\ue002"
"""Private-use characters for \\boxed{, its end, and either end of bold type."""

_CHARACTERS = str.maketrans(
    {
        **{chr(code + 0xFEE0): chr(code) for code in range(0x21, 0x7F)},
        **dict.fromkeys("×⋅·∙✕∗", "*"),
        **dict.fromkeys("÷⁄∕", "/"),
        **dict.fromkeys("≅≃≒", "≈"),
        **dict.fromkeys("⇒⟹⟶∴", "→"),
        **dict.fromkeys("º˚∘", "°"),
        **dict.fromkeys("`$&~\t", " "),
        **dict.fromkeys("\u00a0\u2002\u2003\u2005\u2007\u2008\u2009\u200a\u202f\u3000", " "),
        **dict.fromkeys((BOX, BOX_END, BOLD), " "),
        **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff", ""),
        "∡": "∠",
        "℧": "mho",
        "\u2126": "Ω",
        "\r": "\n",
    }
)
_RAISED_DIGITS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
_SUPERSCRIPT = re.compile("[⁰¹²³⁴-⁹⁺⁻]+")
_COMMANDS_BY_TEXT = {
    "": "left right big Big bigl bigr displaystyle textstyle rm bf it limits hspace"
    " text mathrm mathbf mathit mathsf textrm textit operatorname unit si num",
    " ": "quad qquad space enspace thinspace",
    "≈": "approx simeq cong doteq",
    "→": "implies Rightarrow rightarrow longrightarrow to therefore",
    "*": "times cdot ast",
    "°": "circ degree textdegree",
    "∠": "angle measuredangle phase",
    "/": "div",
    "±": "pm",
    "Ω": "Omega textohm",
    "μ": "mu textmu",
    "π": "pi",
    "j": "jmath",
    "i": "imath",
    "\n": "newline",
    " per ": "per",
    "mho": "mho",
}
_COMMANDS = {command: text for text, commands in _COMMANDS_BY_TEXT.items() for command in commands.split()}
_GROUP_COMMANDS = {
    **dict.fromkeys(("boxed", "fbox"), (BOX, BOX_END)),
    **dict.fromkeys(("frac", "dfrac", "tfrac", "cfrac"), ("frac((", ")/(")),
    **dict.fromkeys(("SI", "qty"), ("", " ")),
    "textbf": (BOLD, BOLD),
    "sqrt": ("sqrt(", ")"),
    "ang": ("", "°"),
}
"""The text before and after the argument of a command; after the first argument of a fraction comes the second."""

_LATEX_PIECE = re.compile(r"\\([A-Za-z]+)|\\(.)|([{}])|([^\\{}]+)|\\", re.S)
_SHORT_FRACTION = re.compile(r"(\\[dtc]?frac) ?([0-9]) ?([0-9])")
_SHORT_ROOT = re.compile(r"\\sqrt ?([0-9])")
_NON_WORD = re.compile(r"\W+")

_DASH_BETWEEN_WORDS = re.compile(r"(?<=[^\W\d_]) [–—] ")
_SUPERSCRIPT_CIRCLE = re.compile(r"\^(?:\( ?[°o] ?\)|°|o(?!\w))")
_POWER = re.compile(r"(?<=[0-9)])\*\*(?=[-+(]?[0-9])|(?<=[0-9)]) \*\* (?=[-+(]?[0-9])")
_OPENING_STAR = re.compile(r"(?:\A|(?<=\n)|(?<=[^\d\s*)] ))\*(?=[^\s*])|(?:\A|(?<=\n))\*(?= )")
_CLOSING_STAR = re.compile(r"(?<=[^\s*])\*(?=[.,;:!?)]|\Z|\s(?!\s?\d))")
_LETTER_X = re.compile(r"(?:(?<=[\d). ])|\A)[xX](?= ?10 ?(?:\^|e[-+]?[0-9]))")
_VULGAR_FRACTION = re.compile("([0-9]{0,9}) ?([¼-¾⅐-⅞↉])")
_NUMBER_AND_UNIT = r"((?<![\w.])[0-9][0-9.,]{0,20}(?:e[-+]?[0-9]{1,3})? ?[A-Za-zΩμµ]{0,5}) ?"
_LAGGING = re.compile(_NUMBER_AND_UNIT + r"(lagging|leading)(?: by)?(?: an angle of)? (?=[0-9.])")
_UNIT_IN_LABEL = re.compile(
    r"(\b[A-Za-zΩμ]\w{0,15}) ?(?:\(([A-Za-zΩμ°]{1,5})\)|\[([A-Za-zΩμ°]{1,5})\]|/([A-Za-zμ]{1,4}[AVΩWHFsz]))( ?[=:≈] ?"
    r"[-+]?[0-9][0-9.,]{0,20}(?:e[-+]?[0-9]{1,3})?)(?= *(?:\n|\Z))"
)
"""The label of an axis or of a column, with its unit, before a number without one: `I (mA) = 2.5`."""

_ANGLE_SIGN = re.compile(_NUMBER_AND_UNIT + r"(?:@|\bcis\b|\bangle\b)(?= ?[-+(]?[0-9.])")


def to_plain_text(text: str, *, signs: dict[int, str]) -> str:
    """Return the text without LaTeX and Markdown, in linear time. `signs` translates what looks like a minus.

    `\\frac{a}{b}` becomes `frac((a)/(b))`, `\\sqrt{a}` `sqrt(a)`, and every power `^`. A subscript becomes part of its
    name. Units of siunitx become words, products `*`; line breaks stay.
    """
    text = _VULGAR_FRACTION.sub(_as_decimal, text)
    text = re.sub(" {2,}", " ", text.translate(_CHARACTERS))
    text = _DASH_BETWEEN_WORDS.sub(": ", text).translate(signs)
    text = _SUPERSCRIPT.sub(lambda match: f"^({match[0].translate(_RAISED_DIGITS)})", text)
    if "\\" in text or "{" in text:
        text = _SHORT_ROOT.sub(r"\\sqrt{\1}", _SHORT_FRACTION.sub(r"\1{\2}{\3}", text))
        text = re.sub(" {2,}", " ", _strip_latex(text))
    text = _SUPERSCRIPT_CIRCLE.sub("°", text)
    text = _POWER.sub("^", text).replace("**", BOLD)
    text = _CLOSING_STAR.sub("", _OPENING_STAR.sub("", text))
    text = _LAGGING.sub(lambda match: f"{match[1]} ∠{'-' if match[2] == 'lagging' else ''}", text)
    text = _UNIT_IN_LABEL.sub(_move_unit, text)
    text = _ANGLE_SIGN.sub(r"\1 ∠", text)
    return _LETTER_X.sub("*", text).replace("+/-", "±")


def _move_unit(match: re.Match[str]) -> str:
    """`I = 2.5 mA` for `I (mA) = 2.5`; unchanged where the brackets hold no unit."""
    label, *units, value = match.groups()
    unit = next(filter(None, units))
    return match[0] if find_unit(unit) is None else f"{label}{value} {unit}"


def _as_decimal(match: re.Match[str]) -> str:
    """1½ as 1.5."""
    return repr(int(match[1] or 0) + unicodedata.numeric(match[2]))


def _strip_latex(text: str) -> str:
    """Return the text without LaTeX commands and braces; a stack holds the text that ends each open brace."""
    pieces: list[str] = []
    endings: list[str | None] = []  # None for a subscript, which adds nothing
    group: tuple[str, str] | None = None  # of the command before an argument
    subscripts = 0
    for match in _LATEX_PIECE.finditer(text):
        command, symbol, brace, words = match.groups()
        if brace == "{":
            previous = pieces[-1][-1] if pieces else ""
            piece, ending = group or {"^": ("(", ")"), "_": ("", None)}.get(previous, ("", ""))
            endings.append(ending)
            subscripts += ending is None
        elif brace and endings:
            ending = endings.pop()
            subscripts -= ending is None
            piece = ending or ""
        elif command:
            piece = _COMMANDS.get(command, "" if command in _GROUP_COMMANDS else command)
        elif symbol:
            piece = {"\\": "\n", "!": "", "%": "%", "_": "_"}.get(symbol, " ")
        else:
            piece = words or ""
        if command or brace == "{" or piece.strip():
            group = _GROUP_COMMANDS.get(command or "")
        if brace == "}" and piece == ")/(":
            group = ("", "))")
        if subscripts:
            piece = _NON_WORD.sub("", piece)
        if piece:
            pieces.append(piece)
    return "".join(pieces)
