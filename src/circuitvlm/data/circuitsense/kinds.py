"""What kind of question is this, and what does a verifier need of it? Told from question, answer and netlist."""

from __future__ import annotations

import re
from collections.abc import Mapping

from circuitvlm.circuit import netlist
from circuitvlm.circuit.graph import Circuit
from circuitvlm.circuit.quantity import MINUS_SIGNS
from circuitvlm.data._reading.files import UnusableError
from circuitvlm.data.circuitsense.draft import Draft

KINDS = ("transfer_function", "equation", "measurement", "choice", "netlist", "number", "open")
LETTERS = "ABCDE"

Facts = dict[str, object]

_TRANSFER = re.compile(r"transfer\s+function\s+from\s+(\S{1,40})\s+to\s+(\S{1,40})", re.IGNORECASE)
_SOURCE, _OUTPUT = re.compile(r"[VI][A-Za-z_]{0,10}[0-9]{0,4}"), re.compile(r"[A-Z][A-Za-z_]{0,10}[0-9]{1,4}")
_QUANTITY = re.compile(r"what\s+is\s+the\s+(?:current|voltage|value\s+of)\s+(\w{1,40})", re.IGNORECASE)
_PRINT = re.compile(
    r"\s*print\s+([iv]\([^()]{1,80}\))\s*;\s*measurement\s+of\s+(\S{1,40})\s*",
    re.IGNORECASE,
)
_PROBE = re.compile(r"\s*([iv])\s*\(\s*([^\s(),]{1,40})\s*(?:,\s*([^\s(),]{1,40})\s*)?\)\s*", re.IGNORECASE)
_NODE_ASKED = re.compile(r"nodal\s+equation\s+for\s+node\s+(\w{1,40})", re.IGNORECASE)
_BRANCH_ASKED = re.compile(r"(?:voltage\s+source|inductor|capacitor)\s+current\s+i_?([a-z]\w{0,39})", re.IGNORECASE)
_NODE_GIVEN = re.compile(r"\s*V_?n_?(\w{1,40})\s*(?:\(\s*[st]\s*\)\s*)?=(?!=)")
_BRANCH_GIVEN = re.compile(r"\s*[Ii]_?([VLEHC]\w{0,39})\s*\(\s*[st]\s*\)\s*=(?!=)")

_UNIT = (
    r"(?:[fpnumkMGTµμ]|Meg|meg|\\mu\s?|milli|kilo|mega|micro|nano)?\s?"
    r"(?:VA|var|[VAWFHSJCs]|Hz|Ω|Ω|\\Omega|[Oo]hms?|mho|volts?|amps?|amperes?|watts?|farads?|henr(?:y|ies)|hertz"
    r"|seconds?|siemens|joules?)|rad(?:ians?)?(?:/s(?:ec)?)?|dB|deg(?:rees?)?|°|%|V/V|A/A|V/A|A/V|V/s|V/[µμu]s"
)
_NUMBER = re.compile(
    r"(?:[A-Za-z]\w{0,20}\s*(?:=|≈)\s*)?(?:approximately |about |~|≈)?\s*"
    rf"[-+{MINUS_SIGNS}]?\s*(?:[0-9]{{1,40}}(?:,[0-9]{{3}}){{0,10}}(?:\.[0-9]{{0,40}})?|\.[0-9]{{1,40}})"
    rf"(?:[eE][-+]?[0-9]{{1,3}}|\s*(?:[x×*·]|\\times|\\cdot)\s*10\s*(?:\^|\*\*)\s*\{{?[-+{MINUS_SIGNS}]?[0-9]{{1,3}}\}}?)?"
    rf"\s*(?:[fpnumkMGT]|(?P<unit>{_UNIT}))?\s*\.?"
)
_LONGEST_NUMBER = 120
_WRAPPING = re.compile(r"\$|\\(?:text|mathrm|rm|,|;|:|!|\(|\)|\[|\])|[{}~]")

_OPERATOR = re.compile(r"[-+*/^=()|∥]|\\frac|[A-Za-z]_?[0-9]")
_NAMES = re.compile(r"\\(?:text|mathrm|operatorname|rm)\{([^{}]{0,40})\}")
_SUBSCRIPT = re.compile(r"_\{[^{}]{0,40}\}")
_PROSE = re.compile(r"(?<![\\A-Za-z_0-9])[A-Za-z]{4,}(?![A-Za-z0-9_(])")
_MATH_WORDS = frozenset({"sqrt", "sinh", "cosh", "tanh", "Heaviside", "DiracDelta"})
_MARK = re.compile(r"[ \t]*(?:\(?([A-Ea-e1-5])[.):](?![0-9])|\(([A-Ea-e1-5])\)|\[([A-Ea-e1-5])\])[ \t]*")


def facts_of(draft: Draft, circuit: Circuit | None) -> Facts:
    """`kind`, `question`, `answer` and what else is known, for a question whose circuit is `circuit` if it has one.

    Raises UnusableError for a choice whose answer is none of its options.
    """
    question, answer = draft.question.strip(), draft.answer.strip()
    said: Facts = {"question": question, "answer": answer}
    if draft.kind:
        return {"kind": draft.kind, **said, **draft.facts}
    if draft.options and draft.choice:
        return {"kind": "choice", **said, **_choice(draft.options, index=draft.choice)}
    if ports := _ports(question, circuit):
        return {"kind": "transfer_function", **said, **ports}
    unit = number_unit(answer)
    if unit is not None:
        if probe := _probe_of(question, netlist_text=draft.netlist):
            return {"kind": "measurement", **said, "probe": probe, "unit": unit or _unit_of(probe)}
        return {"kind": "number", **said, **({"unit": unit} if unit else {})}
    if unknown := _unknown(question, answer):
        return {"kind": "equation", **said, "unknown": unknown}
    if stated := _netlist(answer, question=question):
        return {"kind": "netlist", **said, "answer": stated, "netlist": stated}
    return {"kind": "equation" if is_expression(answer) else "open", **said}


def probe_named(text: str) -> str:
    """A measurement's command in one spelling: `i(VI1)`, `v(5)` or `v(5,7)`; empty for what is none."""
    match = _PROBE.fullmatch(text)
    if match is None:
        return ""
    letter, first, second = match.groups()
    if letter.lower() == "i":
        return "" if second else f"i({first.upper()})"
    return f"v({first},{second})" if second else f"v({first})"


def number_unit(answer: str) -> str | None:
    """The unit (perhaps empty) of an answer that is one number and nothing else; None for any other answer."""
    plain = " ".join(_WRAPPING.sub(" ", answer).split()).replace("^ ", "^")
    match = _NUMBER.fullmatch(plain) if len(plain) <= _LONGEST_NUMBER else None
    return None if match is None else (match["unit"] or "").replace("\\Omega", "Ω").replace(" ", "")


def is_expression(answer: str) -> bool:
    """Whether an answer is a formula: symbols and operators, in SymPy's words or TeX's, without words of prose."""
    plain = _SUBSCRIPT.sub("_x", _NAMES.sub(r"\1", answer.strip()))
    if ". " in plain or any(word not in _MATH_WORDS for word in _PROSE.findall(plain)):
        return False
    return _OPERATOR.search(plain) is not None and any(c.isalnum() for c in plain)


def _ports(question: str, circuit: Circuit | None) -> Mapping[str, str]:
    """Source and output of a transfer function; empty where they are no devices (of the circuit, if there is one)."""
    match = _TRANSFER.search(question)
    if match is None:
        return {}
    source, output = (name.strip("$.,;:?!\"'*`") for name in match.groups())
    if circuit is not None:
        names = {device.name: device.name for device in circuit.devices}
        if not {source.upper(), output.upper()} <= names.keys():
            return {}
    elif not (_SOURCE.fullmatch(source) and _OUTPUT.fullmatch(output)):
        return {}
    return {"source": source, "output": output}


def _probe_of(question: str, *, netlist_text: str) -> str:
    """The command by which the netlist itself measures the quantity that is asked for; empty where it does not."""
    asked = _QUANTITY.search(question)
    if asked is None:
        return ""
    for line in netlist_text.splitlines():
        match = _PRINT.fullmatch(line)
        if match and match[2].casefold() == asked[1].casefold():
            return probe_named(match[1])
    return ""


def _unit_of(probe: str) -> str:
    return "A" if probe.startswith("i") else "V"


def _unknown(question: str, answer: str) -> str:
    """`v(3)` or `i(V1)`: what an equation is solved for, by its left side or by the question."""
    if match := _NODE_GIVEN.match(answer) or _NODE_ASKED.search(question):
        return f"v({match[1]})"
    if match := _BRANCH_GIVEN.match(answer) or _BRANCH_ASKED.search(question):
        return f"i({match[1].upper()})"
    return ""


def _netlist(answer: str, *, question: str) -> str:
    """The canonical form of an answer that is a netlist; empty for any other."""
    if not re.search(r"netlist|spice", question, re.IGNORECASE) and "\n" not in answer:
        return ""
    try:
        circuit = netlist.parse(answer)
    except netlist.NetlistError:
        return ""
    lines = [line for line in answer.splitlines() if line.strip() and line.strip()[0] not in "*.+`"]
    devices = sum(re.match(r"\s*[A-Za-z]+\w*\s+\S+\s+\S+", line) is not None for line in lines)
    if len(circuit.devices) < 2 or (len(lines) > 1 and devices < len(lines)):
        return ""
    return netlist.format(circuit, renumber=False)


def _choice(text: str, *, index: str) -> Facts:
    """The options, and the letter of the right one. Raises UnusableError."""
    options = options_of(text)
    match = re.fullmatch(r"\(?\s*([1-5A-Ea-e])\s*[.)]?", index.strip())
    if match is None:
        raise UnusableError("choice without an index from 1 to 5")
    said = match[1].upper()
    place = int(said) - 1 if said.isdigit() else LETTERS.index(said)
    if not 2 <= len(options) <= len(LETTERS) or place >= len(options):
        raise UnusableError("choice whose answer is none of its options")
    return {"answer": LETTERS[place], "options": options}


def options_of(text: str) -> list[str]:
    """The options that a text lists, without their marks: marked ones may go on over lines, others are one a line."""
    lines = [line for line in text.replace("\r\n", "\n").split("\n") if line.strip()]
    marks = [_MARK.match(line) for line in lines]
    if not lines or not marks[0] or sum(mark is not None for mark in marks) < 2:
        return [line.strip() for line in lines]
    options: list[str] = []
    for line, mark in zip(lines, marks, strict=True):
        begins = mark is not None and _place(mark) == len(options)
        rest = line[mark.end() :].strip() if begins and mark is not None else line.strip()
        if begins:
            options.append(rest)
        else:
            options[-1] = f"{options[-1]} {rest}".strip()
    return options


def _place(mark: re.Match[str]) -> int:
    said = next(group for group in mark.groups() if group).upper()
    return int(said) - 1 if said.isdigit() else LETTERS.index(said)
