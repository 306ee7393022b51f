"""What does marked-up text say in plain characters?"""

from __future__ import annotations

import re

BOX, BOX_END, BOLD = "\ue000", "\ue001", "\ue002"
"""What stands for \\boxed{, its end, and either end of bold type in plain text."""

_CHARACTER = {**dict.fromkeys("×⋅·∙✕∗", "*"), **dict.fromkeys("÷⁄∕", "/"), **dict.fromkeys("≅≃≒", "≈")}
_CHARACTER |= {
    **dict.fromkeys("⇒⟹⟶∴", "→"),
    **dict.fromkeys("º˚∘", "°"),
    **dict.fromkeys("`$&~\t", " "),
    "∡": "∠",
    "℧": "mho",
}
_CHARACTER |= dict.fromkeys(f"\u00a0\u2002\u2003\u2005\u2007\u2008\u2009\u200a\u202f\u3000{BOX}{BOX_END}{BOLD}", " ")
_CHARACTER |= {**dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff", ""), "\u2126": "Ω", "\r": "\n"}
_CHARACTER |= {chr(code + 0xFEE0): chr(code) for code in range(0x21, 0x7F)}
_PLAIN = str.maketrans(_CHARACTER)
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
_SUPERSCRIPT = re.compile("[⁰¹²³⁴-⁹⁺⁻]+")


def _commands(names: str, meaning: str) -> dict[str, str]:
    return dict.fromkeys(names.split(), meaning)


_COMMAND = _commands("left right big Big bigl bigr displaystyle textstyle rm bf it limits hspace", "")
_COMMAND |= _commands("text mathrm mathbf mathit mathsf textrm textit operatorname unit si num", "")
_COMMAND |= _commands("quad qquad space enspace thinspace", " ")
_COMMAND |= _commands("approx simeq cong doteq", "≈")
_COMMAND |= _commands("implies Rightarrow rightarrow longrightarrow to therefore", "→")
_COMMAND |= _commands("times cdot ast", "*")
_COMMAND |= _commands("circ degree textdegree", "°")
_COMMAND |= _commands("angle measuredangle phase", "∠")
_COMMAND |= {"div": "/", "pm": "±", "Omega": "Ω", "textohm": "Ω", "mu": "μ", "textmu": "μ", "pi": "π", "jmath": "j"}
_COMMAND |= {"imath": "i", "newline": "\n", "per": " per ", "mho": "mho"}
_GROUP = {"boxed": (BOX, BOX_END), "fbox": (BOX, BOX_END), "textbf": (BOLD, BOLD), "sqrt": ("sqrt(", ")")}
_GROUP |= {"SI": ("", " "), "qty": ("", " "), "ang": ("", "°")}
_GROUP |= dict.fromkeys(("frac", "dfrac", "tfrac", "cfrac"), ("frac((", ")/("))
_PIECE = re.compile(r"\\([A-Za-z]+)|\\(.)|([{}])|([^\\{}]+)|\\", re.S)
_SHORT_FRACTION = re.compile(r"(\\[dtc]?frac) ?([0-9]) ?([0-9])")
_SHORT_ROOT = re.compile(r"\\sqrt ?([0-9])")
_NO_LETTER = re.compile(r"\W+")

_DASH = re.compile(r"(?<=[^\W\d_]) [–—] ")
_RAISED_CIRCLE = re.compile(r"\^(?:\( ?[°o] ?\)|°|o(?!\w))")
_POWER = re.compile(r"(?<=[0-9)])\*\*(?=[-+(]?[0-9])|(?<=[0-9)]) \*\* (?=[-+(]?[0-9])")
_OPENING_STAR = re.compile(r"(?:\A|(?<=\n)|(?<=[^\d\s*)] ))\*(?=[^\s*])|(?:\A|(?<=\n))\*(?= )")
_CLOSING_STAR = re.compile(r"(?<=[^\s*])\*(?=[.,;:!?)]|\Z|\s(?!\s?\d))")
_TIMES = re.compile(r"(?:(?<=[\d). ])|\A)[xX](?= ?10 ?\^)")


def plain(text: str, *, signs: dict[int, str]) -> str:
    """The text without LaTeX and Markdown, in linear time. `signs` translates what looks like a minus.

    `\\frac{a}{b}` becomes `frac((a)/(b))`, `\\sqrt{a}` `sqrt(a)`, every power `^`, a subscript part of its name,
    siunitx its words; products are `*`, line breaks stay.
    """
    text = re.sub(" {2,}", " ", text.translate(_PLAIN))
    text = _DASH.sub(": ", text).translate(signs)
    text = _SUPERSCRIPT.sub(lambda match: f"^({match[0].translate(_RAISED)})", text)
    if "\\" in text or "{" in text:
        text = _SHORT_ROOT.sub(r"\\sqrt{\1}", _SHORT_FRACTION.sub(r"\1{\2}{\3}", text))
        text = re.sub(" {2,}", " ", _flat(text))
    text = _RAISED_CIRCLE.sub("°", text)
    text = _POWER.sub("^", text).replace("**", BOLD)
    text = _CLOSING_STAR.sub("", _OPENING_STAR.sub("", text))
    return _TIMES.sub("*", text).replace("+/-", "±")


def _flat(text: str) -> str:
    """LaTeX without commands and braces: a stack holds what each open brace will leave behind at its end."""
    out: list[str] = []
    ends: list[str | None] = []
    waiting: tuple[str, str] | None = None
    names = 0
    for match in _PIECE.finditer(text):
        command, symbol, brace, words = match.groups()
        piece = ""
        if brace == "{":
            piece, end = waiting or _script(out)
            ends.append(None if piece == "_" else end)
            names += piece == "_"
            piece = piece.removeprefix("_")
        elif brace and ends:
            closing = ends.pop()
            names -= closing is None
            piece = closing or ""
        elif command:
            piece = _COMMAND.get(command, "" if command in _GROUP else command)
        elif symbol:
            piece = {"\\": "\n", "!": "", "%": "%", "_": "_"}.get(symbol, " ")
        else:
            piece = words or ""
        if command or brace == "{" or piece.strip():
            waiting = _GROUP.get(command or "")
        if brace == "}" and piece == ")/(":
            waiting = ("", "))")
        if names:
            piece = _NO_LETTER.sub("", piece)
        if piece:
            out.append(piece)
    return "".join(out)


def _script(out: list[str]) -> tuple[str, str]:
    last = out[-1][-1] if out else ""
    return {"^": ("(", ")"), "_": ("_", "")}.get(last, ("", ""))
