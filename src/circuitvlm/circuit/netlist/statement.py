"""Do these words state a device, and which one?"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

from circuitvlm.circuit.graph import GROUND, PIN_NAMES, Device
from circuitvlm.circuit.netlist.lexer import NetlistError
from circuitvlm.circuit.netlist.parameter import filled
from circuitvlm.circuit.netlist.value import is_number, reading

MAX_NAME = 64
MAX_WORDS = 1000

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.#+\-\[\]<>@/!§]*:?")
_NODE = re.compile(r"[^\s=(){},;]+")
_PAIR = re.compile(r"\(([^\s=(){},;]+)[ ,]([^\s=(){},;]+)\)")
_REMARK = re.compile(r"[#$].*|\*+|-+|\||/", re.S)
"""What opens a remark behind a device's value, where a model writes one without SPICE's own mark for it."""

_ASIDE = re.compile(r"\((?!(?:ac|dc)\))[A-Za-z][A-Za-z .,-]*\)", re.I)
"""Words in brackets beside a number, such as `1k (load)`."""

_CARD = re.compile(r"\.[A-Za-z]")
_DIGITS = re.compile(r"[0-9]+")
_SHORT = re.compile(r"[A-Za-z][0-9]{1,4}:?")
_GROUNDS = frozenset({"gnd", "gnd!", "ground"})
_TITLES = (
    "capacitor chapter circuit circuits current design diagram divider example exercise experiment figure inductor item"
    " lab lecture lesson mesh resistor resistors sample section series set simple solution step task test the version"
    " voltage"
)
_KEYWORDS = "distof1 distof2 gnd ground dc exp ic value table sin step tc tol temp"
_TITLE_WORDS = frozenset(f"{_TITLES} {_KEYWORDS}".split())
"""Words that open titles ("Circuit 1 0 10") or belong to a device: never its name, although SPICE would take them."""

_SYMBOLIC = re.compile(r"<.*>|\{.*\}|[A-Za-z]+\(.*\)|step|(value|val|res|cap|ind|dc|ac|[rcl])=.*|dc|ac", re.I | re.S)
_PARAMETERS_FOLLOW = frozenset({"params:", "param:"})
_POLY = re.compile(r"poly\(([0-9]{1,3})\)", re.I)
_OPAMP = "opamp"
_MODELLED, _PASSIVE_OR_SOURCE = frozenset("DQMJ"), frozenset("RLCVI")
_BEHAVIOURAL = frozenset({"poly", "value", "table", "laplace", "vol", "cur"})


def kind_of(word: str) -> str:
    """The kind that a device of this name has, "" where the word can be no device's name."""
    kind = _lettered(word)
    return kind if kind and word.lower().rstrip(":") not in _TITLE_WORDS else ""


def _lettered(word: str) -> str:
    """The kind by the first letter alone: where a device must stand, DC may be a diode."""
    kind = word[0].upper()
    if kind not in PIN_NAMES:
        return ""
    return kind if len(word) <= MAX_NAME and _NAME.fullmatch(word) else ""


def is_card(word: str) -> bool:
    """Whether the word opens a dot card such as .tran."""
    return _CARD.match(word) is not None


def is_ground(node: str) -> bool:
    """Whether SPICE users call ground so: 0, 00, gnd, ground."""
    return node.lower() in _GROUNDS or not node.strip("0")


def is_numbered(word: str) -> bool:
    """Whether the name has a digit, as R1 has and Resistor has not."""
    return any("0" <= c <= "9" for c in word)


def strength(tokens: Sequence[str], start: int = 0) -> int:
    """How surely a device begins at `start`, judged by the words after it alone: 0 no, 1 perhaps, 2 surely.

    2 takes nodes that are all numbers or ground, and a value or model; 1 a numbered name and a value.
    """
    name = tokens[start]
    kind = kind_of(name)
    if not kind:
        return 0
    if kind == "K":
        return 2 * (is_numbered(name) and _couples(tokens[start + 1 : start + 4]))
    after = _after_nodes(kind, tokens, start)
    if after is None or not _states_value(kind, name, tokens[after : after + 2]):
        return 0
    indices = sum(map(_is_index, tokens[start + 1 : after]))
    if indices == after - start - 1:
        return 2
    if not is_numbered(name):
        return int(len(name) < 6 and indices > 0 and kind in "RCLVI")
    return int(indices > 0 or kind in "RCLVIEGFH")


def starts(tokens: Sequence[str], start: int) -> bool:
    """Whether a device begins at `start` in the middle of a line."""
    sure = strength(tokens, start)
    if sure != 1:
        return sure == 2
    # `ladder V1 1 0 5` must not read as a device LADDER... between V1 and 1: what is sure inside it wins.
    span = len(PIN_NAMES[kind_of(tokens[start])]) + 1
    return not any(strength(tokens, i) == 2 for i in range(start + 1, min(start + 1 + span, len(tokens))))


def possible(tokens: Sequence[str]) -> bool:
    """Whether a line of a deck, its title read already, states a device."""
    name = tokens[0]
    kind = kind_of(name)
    if not kind:
        return False
    if kind == "K":
        coils, number = tokens[1:3], any(map(is_number, tokens[3:5]))
        return (is_numbered(name) and _couples(coils)) or (number and all(word[0] in "Ll" for word in coils))
    after = _after_nodes(kind, tokens, 0)
    if after is None:
        return False
    if is_numbered(name) or len(name) == 1 or _indexed(tokens[1:after]):
        return True
    stated = _states_value(kind, name, tokens[after : after + 2])
    return stated and (kind in "RCLVIEGFH" or any(map(_is_index, tokens[1:after])))


def nodes_of(tokens: Sequence[str]) -> Sequence[str]:
    """The words of a line that stand where nodes do; none where it can be no device."""
    kind = kind_of(tokens[0])
    after = _after_nodes(kind, tokens, 0) if kind else None
    return () if after is None else tokens[1:after]


def is_node(word: str, *, known: Collection[str]) -> bool:
    """Whether the word is a number, ground or one of the nodes known."""
    return _is_index(word) or word.lower() in known


def linked(tokens: Sequence[str], *, known: Collection[str], every: bool) -> bool:
    """Whether a line is a device by its nodes alone (`Mp out in vdd vdd PMOS`): two of them, or `every` one, known."""
    met = [is_node(node, known=known) for node in nodes_of(tokens)]
    return len(met) > 1 and (all(met) if every else sum(met) > 1)


def certain(tokens: Sequence[str], *, context: Collection[str]) -> bool:
    """Whether a line is a device though it may be the title. `context` holds the words of the lines after it."""
    if not possible(tokens):
        return False
    after = _after_nodes(kind_of(tokens[0]), tokens, 0) or len(tokens)
    nodes = tokens[1:after]
    if kind_of(tokens[0]) == "K" or starts(tokens, 0) or _indexed(nodes):
        return True
    if any(strength(tokens, i) == 2 for i in range(1, min(after + 1, len(tokens)))):
        return False
    grounded = any(map(_is_index, nodes)) and _states_value(kind_of(tokens[0]), tokens[0], tokens[after : after + 2])
    return grounded or any(node.lower() in context for node in nodes)


def meant(tokens: Sequence[str]) -> bool:
    """Whether a line that is no device was yet meant as one (`R1 1`, `U1 1 2 3`), and is no title."""
    if not _SHORT.fullmatch(tokens[0]) or len(tokens) < 2 or not _is_index(tokens[1]):
        return False
    return kind_of(tokens[0]) != "" or (len(tokens) > 2 and _is_index(tokens[2]))


def end_of(tokens: Sequence[str], start: int, *, known: Collection[str]) -> int:
    """Where the statement that begins at `start` ends: before a dot card or the next device on the same line.

    `known` holds nodes, as `key` gives them, by which a device is recognised that its form alone does not show: one
    whose name has no digit (`Vs in 0 5 Rs in out 50`), or one with a model.
    """
    own = frozenset(map(key, nodes_of(tokens[start : start + 6])))
    kind = kind_of(tokens[start])
    place = start + 1 + {"X": 2, "K": 2, "M": 3, "E": 2, "G": 2}.get(kind, len(PIN_NAMES[kind])) + (kind in "FHW")
    if kind in "EGFH" and start + 3 < len(tokens) and (poly := _POLY.fullmatch(tokens[start + 3])):
        place = start + 4 + int(poly[1])  # its inputs are no devices
    whole = kind == "X" and _ends_assigning(tokens[start:])
    for end in range(start + 1, len(tokens)):
        if is_card(tokens[end]):
            return end
        if end < place or tokens[end][0].upper() not in PIN_NAMES:
            continue
        if strength(tokens, end) == 2 if whole else starts(tokens, end) or follows(tokens, end, known=known, own=own):
            return end
    return len(tokens)


def _ends_assigning(tokens: Sequence[str]) -> bool:
    """Whether the words end in `w=1u l=2u`: a node of a call that is named d1 begins no diode then."""
    if "=" not in tokens[-1]:
        return False
    first = next(i for i, word in enumerate(tokens) if "=" in word)
    return all("=" in word for word in tokens[first:])


def key(node: str) -> str:
    """By what two spellings of one node are told to be the same."""
    return GROUND if is_ground(node) else node.lower()


def follows(tokens: Sequence[str], start: int, *, known: Collection[str], own: Collection[str] = ()) -> bool:
    """Whether a device begins here by its nodes: different ones, one in `known` or `own`, then a value or model.

    The name of a two-pin device has no digit then, that of one with a model has one.
    """
    name, kind = tokens[start], kind_of(tokens[start])
    if is_numbered(name) != (kind in _MODELLED) or not 1 < len(name) < 7 or kind not in _MODELLED | _PASSIVE_OR_SOURCE:
        return False
    after = _after_nodes(kind, tokens, start)
    if after is None or key(name) in known or not _states_value(kind, name, tokens[after : after + 2]):
        return False
    nodes = tokens[start + 1 : after]
    plain = all(_is_index(node) or not is_number(node) for node in nodes)
    met = any(key(node) in known or key(node) in own for node in nodes)
    return plain and met and len(set(map(key, nodes))) > 1


def read(tokens: Sequence[str], *, line: int, parameters: Mapping[str, str] = MappingProxyType({})) -> Device:
    """The device that the words state, with its nodes as they are spelled and the values of parameters for their names.

    Raises NetlistError.
    """
    name = tokens[0].rstrip(":").upper()
    kind = _lettered(tokens[0])
    if kind == "E" and len(tokens) > 5 and tokens[3].lower() == _OPAMP:
        tokens = [*tokens[:3], *tokens[4:6], *(tokens[6:] or ["inf"])]  # lcapy's E1 3 0 opamp 1 2 [Ad [Ac]]
    if kind in ("E", "G") and len(tokens) > 4 and (pair := _PAIR.fullmatch(tokens[3])):
        tokens = [*tokens[:3], *pair.groups(), *tokens[4:]]  # E1 3 0 (1,2) 100k
    if not kind:
        raise NetlistError(
            f"{tokens[0][:MAX_NAME]!r} names no kind of device; known are {' '.join(PIN_NAMES)}", line=line
        )
    if len(tokens) > MAX_WORDS:
        raise NetlistError(f"{name}: {len(tokens)} words; at most {MAX_WORDS} are read", line=line)
    if kind == "X" and "/" in tokens:
        tokens = [word for word in tokens if word != "/"]  # CDL's sign between the nodes and the subcircuit
    count = _node_count(kind, tokens[1:])
    nodes, rest = tuple(tokens[1 : 1 + count]), list(tokens[1 + count :])
    if len(nodes) < count or (kind == "X" and not count):
        raise NetlistError(f"{name}: {len(nodes)} nodes, wanted {max(count, 1)}: {' '.join(tokens)[:80]!r}", line=line)
    for node in nodes:
        if not _NODE.fullmatch(node) or len(node) > MAX_NAME:
            raise NetlistError(f"{name}: {node[:MAX_NAME]!r} cannot be a node; wanted a word like 3 or out", line=line)
    if kind in "RCLVIDQMJ":
        remark = next((i for i, word in enumerate(rest) if _REMARK.fullmatch(word)), len(rest))
        if not remark and any(map(is_number, rest)):
            raise NetlistError(f"{name}: {rest[0][:40]!r} stands where the value should", line=line)
        rest = rest[:remark]
    rest = filled(rest, parameters, kind=kind)
    try:
        value, ac, text = reading(kind if count != 2 or kind not in "EG" else "B", rest)
    except ValueError as error:
        raise NetlistError(f"{name}: {error}", line=line) from error
    if value is not None and kind in _PASSIVE_OR_SOURCE and _ASIDE.fullmatch(text):
        text = ""
    return Device(name=name, kind=kind, nodes=nodes, value=value, ac=ac, text=text)


def _node_count(kind: str, rest: Sequence[str]) -> int:
    """How many of the words after the name are nodes."""
    plain = next((i for i, word in enumerate(rest) if "=" in word or word[0] in "({"), len(rest))
    if kind == "X":
        return max(plain - 1 - (plain > 1 and rest[plain - 1].lower() in _PARAMETERS_FOLLOW), 0)
    if kind == "K":
        return 0
    if kind in "EG":
        return 2 if len(rest) > 2 and (rest[2].lower() in _BEHAVIOURAL or not _NODE.fullmatch(rest[2])) else 4
    if kind == "M":
        return 4 if plain > 4 or (plain == 4 and _is_index(rest[3])) else 3
    if kind == "Q":
        return 4 if plain > 3 and (_is_index(rest[3]) or (plain > 4 and not is_number(rest[4]))) else 3
    return len(PIN_NAMES[kind])


def _after_nodes(kind: str, tokens: Sequence[str], start: int) -> int | None:
    """Where the words after the nodes begin; None where the nodes are too few or are none."""
    rest = tokens[start + 1 : start + 12] if kind != "X" else _call(tokens, start)
    end = start + 1 + (_node_count(kind, rest) if kind not in "QM" else 3)
    nodes = tokens[start + 1 : end]
    if end > len(tokens) or (kind == "X" and not nodes):
        return None
    return end if all(_NODE.fullmatch(node) and not is_card(node) for node in nodes) else None


def _call(tokens: Sequence[str], start: int) -> Sequence[str]:
    """The words of a subcircuit call: up to the first word after a numbered node, its name."""
    end = start + 1
    while end < len(tokens) and _is_index(tokens[end]):
        end += 1
    return tokens[start + 1 : end + 1] if end > start + 1 else tokens[start + 1 : start + 12]


def _states_value(kind: str, name: str, rest: Sequence[str]) -> bool:
    if not rest or is_card(rest[0]):
        return False
    word = rest[0]
    if kind in "RCLVIEG":
        return is_number(word) or word.lower() == name.lower() or _SYMBOLIC.fullmatch(word) is not None
    if kind in "FH":
        return kind_of(word) in ("V", "R", "L") and len(rest) > 1 and is_number(rest[1])
    if kind == "B":
        return "=" in word
    return not _is_index(word) and "=" not in word[:1]


def _couples(rest: Sequence[str]) -> bool:
    return len(rest) > 1 and all(word[0] in "Ll" and is_numbered(word) for word in rest[:2])


def _indexed(nodes: Sequence[str]) -> bool:
    return len(nodes) > 0 and all(map(_is_index, nodes))


def _is_index(word: str) -> bool:
    return _DIGITS.fullmatch(word) is not None or is_ground(word)
