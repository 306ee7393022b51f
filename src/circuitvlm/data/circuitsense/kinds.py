"""Find the kind of a question, and the facts that a verifier needs, from its question, answer and netlist."""

from __future__ import annotations

import re
from collections.abc import Mapping

from circuitvlm.circuit import netlist
from circuitvlm.circuit.graph import Circuit
from circuitvlm.circuit.quantity import MINUS_SIGNS
from circuitvlm.data._reading.files import UnusableError
from circuitvlm.data.circuitsense.raw import RawQuestion

KINDS = ("transfer_function", "equation", "measurement", "choice", "netlist", "number", "open")
LETTERS = "ABCDE"

Facts = dict[str, object]

_TRANSFER = re.compile(r"transfer\s+function\s+from\s+(\S{1,40})\s+to\s+(\S{1,40})", re.IGNORECASE)
_SOURCE, _OUTPUT = re.compile(r"[VI][A-Za-z_]{0,10}[0-9]{0,4}"), re.compile(r"[A-Z][A-Za-z_]{0,10}[0-9]{1,4}")
_QUANTITY_NAME = re.compile(r"what\s+is\s+the\s+(?:current|voltage|value\s+of)\s+(\w{1,40})", re.IGNORECASE)
_PRINT = re.compile(
    r"\s*print\s+([iv]\([^()]{1,80}\))\s*;\s*measurement\s+of\s+(\S{1,40})\s*",
    re.IGNORECASE,
)
_PROBE = re.compile(r"\s*([iv])\s*\(\s*([^\s(),]{1,40})\s*(?:,\s*([^\s(),]{1,40})\s*)?\)\s*", re.IGNORECASE)
_NODE_QUESTION = re.compile(r"nodal\s+equation\s+for\s+node\s+(\w{1,40})", re.IGNORECASE)
_BRANCH_QUESTION = re.compile(r"(?:voltage\s+source|inductor|capacitor)\s+current\s+i_?([a-z]\w{0,39})", re.IGNORECASE)
_NODE_ANSWER = re.compile(r"\s*V_?n_?(\w{1,40})\s*(?:\(\s*[st]\s*\)\s*)?=(?!=)")
_BRANCH_ANSWER = re.compile(r"\s*[Ii]_?([VLEHC]\w{0,39})\s*\(\s*[st]\s*\)\s*=(?!=)")

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
_MAX_NUMBER_LENGTH = 120
_TEX_WRAPPERS = re.compile(r"\$|\\(?:text|mathrm|rm|,|;|:|!|\(|\)|\[|\])|[{}~]")

_OPERATOR = re.compile(r"[-+*/^=()|∥]|\\frac|[A-Za-z]_?[0-9]")
_NAMES = re.compile(r"\\(?:text|mathrm|operatorname|rm)\{([^{}]{0,40})\}")
_SUBSCRIPT = re.compile(r"_\{[^{}]{0,40}\}")
_PROSE = re.compile(r"(?<![\\A-Za-z_0-9])[A-Za-z]{4,}(?![A-Za-z0-9_(])")
_MATH_WORDS = frozenset({"sqrt", "sinh", "cosh", "tanh", "Heaviside", "DiracDelta"})
_OPTION_MARK = re.compile(r"[ \t]*(?:\(?([A-Ea-e1-5])[.):](?![0-9])|\(([A-Ea-e1-5])\)|\[([A-Ea-e1-5])\])[ \t]*")


def find_facts(raw: RawQuestion, circuit: Circuit | None) -> Facts:
    """`kind`, `question`, `answer` and the other facts of a question, whose circuit is `circuit` if it has one.

    Raises UnusableError for a choice whose answer is none of its options.
    """
    question, answer = raw.question.strip(), raw.answer.strip()
    texts: Facts = {"question": question, "answer": answer}
    if raw.kind:
        return {"kind": raw.kind, **texts, **raw.facts}
    if raw.options and raw.choice:
        return {"kind": "choice", **texts, **_choice(raw.options, index=raw.choice)}
    if ports := _ports(question, circuit):
        return {"kind": "transfer_function", **texts, **ports}
    unit = unit_of_number(answer)
    if unit is not None:
        if probe := _find_probe(question, netlist_text=raw.netlist):
            return {"kind": "measurement", **texts, "probe": probe, "unit": unit or unit_of_probe(probe)}
        return {"kind": "number", **texts, **({"unit": unit} if unit else {})}
    if unknown := _find_unknown(question, answer):
        return {"kind": "equation", **texts, "unknown": unknown}
    if netlist_text := _format_netlist(answer, question=question):
        return {"kind": "netlist", **texts, "answer": netlist_text, "netlist": netlist_text}
    return {"kind": "equation" if is_expression(answer) else "open", **texts}


def unit_of_probe(probe: str) -> str:
    """The unit of a measurement in the form of `normalize_probe`."""
    return "A" if probe.startswith("i") else "V"


def normalize_probe(text: str) -> str:
    """A measurement command in its normal form: `i(VI1)`, `v(5)` or `v(5,7)`; empty for another text."""
    match = _PROBE.fullmatch(text)
    if match is None:
        return ""
    letter, first, second = match.groups()
    if letter.lower() == "i":
        return "" if second else f"i({first.upper()})"
    return f"v({first},{second})" if second else f"v({first})"


def unit_of_number(answer: str) -> str | None:
    """The unit, perhaps empty, of an answer that consists of one number; None for any other answer."""
    text = " ".join(_TEX_WRAPPERS.sub(" ", answer).split()).replace("^ ", "^")
    match = _NUMBER.fullmatch(text) if len(text) <= _MAX_NUMBER_LENGTH else None
    return None if match is None else (match["unit"] or "").replace("\\Omega", "Ω").replace(" ", "")


def is_expression(answer: str) -> bool:
    """Whether an answer is a formula: symbols and operators in the syntax of SymPy or TeX, without prose."""
    text = _SUBSCRIPT.sub("_x", _NAMES.sub(r"\1", answer.strip()))
    if ". " in text or any(word not in _MATH_WORDS for word in _PROSE.findall(text)):
        return False
    return _OPERATOR.search(text) is not None and any(c.isalnum() for c in text)


def _ports(question: str, circuit: Circuit | None) -> Mapping[str, str]:
    """Source and output of a transfer function; empty unless they are devices, of the circuit if it is known."""
    match = _TRANSFER.search(question)
    if match is None:
        return {}
    source, output = (name.strip("$.,;:?!\"'*`") for name in match.groups())
    if circuit is not None:
        if not {source.upper(), output.upper()} <= {device.name for device in circuit.devices}:
            return {}
    elif not (_SOURCE.fullmatch(source) and _OUTPUT.fullmatch(output)):
        return {}
    return {"source": source, "output": output}


def _find_probe(question: str, *, netlist_text: str) -> str:
    """The command with which the netlist measures the quantity of the question; empty if it does not."""
    quantity = _QUANTITY_NAME.search(question)
    if quantity is None:
        return ""
    matches = filter(None, map(_PRINT.fullmatch, netlist_text.splitlines()))
    commands = (match[1] for match in matches if match[2].casefold() == quantity[1].casefold())
    return normalize_probe(next(commands, ""))


def _find_unknown(question: str, answer: str) -> str:
    """The unknown of an equation, `v(3)` or `i(V1)`, by the left side of the answer or by the question."""
    if match := _NODE_ANSWER.match(answer) or _NODE_QUESTION.search(question):
        return f"v({match[1]})"
    if match := _BRANCH_ANSWER.match(answer) or _BRANCH_QUESTION.search(question):
        return f"i({match[1].upper()})"
    return ""


def _format_netlist(answer: str, *, question: str) -> str:
    """The canonical form of an answer that is a netlist; empty for any other answer."""
    if not re.search(r"netlist|spice", question, re.IGNORECASE) and "\n" not in answer:
        return ""
    try:
        circuit = netlist.parse(answer)
    except netlist.NetlistError:
        return ""
    lines = [line for line in answer.splitlines() if line.strip() and line.strip()[0] not in "*.+`"]
    device_count = sum(re.match(r"\s*[A-Za-z]+\w*\s+\S+\s+\S+", line) is not None for line in lines)
    if len(circuit.devices) < 2 or (len(lines) > 1 and device_count < len(lines)):
        return ""
    return netlist.format(circuit, renumber=False)


def _choice(text: str, *, index: str) -> Facts:
    """The options, and the letter of the right one. Raises UnusableError."""
    options = parse_options(text)
    match = re.fullmatch(r"\(?\s*([1-5A-Ea-e])\s*[.)]?", index.strip())
    if match is None:
        raise UnusableError("choice without an index from 1 to 5", index)
    position = _option_position(match[1])
    if not 2 <= len(options) <= len(LETTERS) or position >= len(options):
        raise UnusableError("choice whose answer is none of its options", (index, options))
    return {"answer": LETTERS[position], "options": options}


def parse_options(text: str) -> list[str]:
    """The options of a text without their marks; those with marks may have several lines, others have one line."""
    lines = [line for line in text.replace("\r\n", "\n").split("\n") if line.strip()]
    marks = [_OPTION_MARK.match(line) for line in lines]
    positions = [None if mark is None else _option_position(next(filter(None, mark.groups()))) for mark in marks]
    if not lines or positions[0] != 0 or sum(mark is not None for mark in marks) < 2:
        return [line.strip() for line in lines]
    options: list[str] = []
    for line, mark, position in zip(lines, marks, positions, strict=True):
        if mark is not None and position == len(options):
            options.append(line[mark.end() :].strip())
        else:
            options[-1] = f"{options[-1]} {line.strip()}".strip()
    return options


def _option_position(mark: str) -> int:
    """The position of an option from 0, by its number or letter."""
    return int(mark) - 1 if mark.isdigit() else LETTERS.index(mark.upper())
