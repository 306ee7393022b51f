"""Read one device from the words of its statement."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile

from circuitvlm.circuit.graph import GROUND, PIN_NAMES, Device
from circuitvlm.circuit.netlist.environment import Environment
from circuitvlm.circuit.netlist.lexer import NetlistError
from circuitvlm.circuit.netlist.parameter import substitute
from circuitvlm.circuit.netlist.value import is_number, parse_value

DEFAULT = Environment()
MAX_NAME = 64
MAX_WORDS = 1000

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.#+\-\[\]<>@/!§]*:?")
_NODE = re.compile(r"[^\s=(){},;]+")
_NODE_PAIR = re.compile(r"\(([^\s=(){},;]+)[ ,]([^\s=(){},;]+)\)")
_REMARK = re.compile(r"[#$].*|\*+|-+|\||/", re.S)
"""Words that open a remark after a device's value. Models write them without SPICE's own sign for a comment."""

_ASIDE = re.compile(r"\((?!(?:ac|dc)\))[A-Za-z][A-Za-z .,-]*\)", re.I)
"""Words in brackets after a number, such as `1k (load)`."""

_WIRE = re.compile(r"W[0-9]*", re.I)
_CARD = re.compile(r"\.[A-Za-z]")
_DIGITS = re.compile(r"[0-9]+")
_GROUNDS = frozenset({"gnd", "gnd!", "ground"})
_RESERVED_WORD = re.compile(
    r"capacitor|chapter|circuits?|current|design|diagram|divider|example|exercise|experiment|figure|inductor|item|lab"
    r"|lecture|lesson|mesh|resistors?|sample|section|series|set|simple|solution|step|task|test|the|version|voltage"
    r"|distof[12]|gnd|ground|dc|exp|ic|value|table|sin|tc|tol|temp"
)
"""Words of titles ("Circuit 1 0 10") and of statements that are never read as a device's name, although SPICE would."""

_BEHAVIOURAL = frozenset({"poly", "value", "table", "laplace", "vol", "cur"})


def kind_of(word: str) -> str:
    """The kind of a device with this name; "" where the word cannot be the name of a device."""
    kind = _kind_by_letter(word)
    return "" if kind and _RESERVED_WORD.fullmatch(word.lower().rstrip(":")) else kind


def _kind_by_letter(word: str) -> str:
    """The kind by the first letter, reserved words included: where a device must stand, DC may be a diode."""
    kind = word[0].upper()
    return kind if kind in PIN_NAMES and len(word) <= MAX_NAME and _NAME.fullmatch(word) else ""


def is_wire(words: Sequence[str]) -> bool:
    """Whether the words are lcapy's statement of a wire between two nodes: `W 1 2`."""
    return len(words) == 3 and _WIRE.fullmatch(words[0]) is not None


def is_card(word: str) -> bool:
    """Whether the word opens a dot card such as .tran."""
    return _CARD.match(word) is not None


def is_ground(node: str) -> bool:
    """Whether the node is ground by its name: 0, 00, gnd, ground."""
    return node.lower() in _GROUNDS or not node.strip("0")


def is_index(word: str) -> bool:
    """Whether the word is a node's number or ground."""
    return _DIGITS.fullmatch(word) is not None or is_ground(word)


def is_node_name(word: str) -> bool:
    """Whether the word can be the name of a node."""
    return _NODE.fullmatch(word) is not None


def has_digit(word: str) -> bool:
    """Whether the word has an ASCII digit, as R1 has and Resistor has not."""
    return any("0" <= c <= "9" for c in word)


def node_key(node: str) -> str:
    """The key of a node, which is the same for all its spellings."""
    return GROUND if is_ground(node) else node.lower()


def count_nodes(kind: str, words: Sequence[str]) -> int:
    """How many of the words after the name are nodes."""
    # Nodes end at the first assignment or bracket.
    plain = next((i for i, word in enumerate(words) if "=" in word or word[0] in "({"), len(words))
    if kind == "X":
        return max(plain - 1 - (plain > 1 and words[plain - 1].lower() in ("params:", "param:")), 0)
    if kind in "EG":
        return 2 if len(words) > 2 and (words[2].lower() in _BEHAVIOURAL or not is_node_name(words[2])) else 4
    if kind == "M":
        return 4 if plain > 4 or (plain == 4 and is_index(words[3])) else 3
    if kind == "Q":
        return 4 if plain > 3 and (is_index(words[3]) or (plain > 4 and not is_number(words[4]))) else 3
    return len(PIN_NAMES[kind])


def read_device(tokens: Sequence[str], *, line: int, environment: Environment = DEFAULT) -> Device:
    """The device that the words state, with its nodes as they are spelled and its value by the environment.

    Raises NetlistError with the line's number and the device's name.
    """
    name = tokens[0].rstrip(":").upper()
    try:
        return _read(name, tokens, environment)
    except ValueError as error:
        raise NetlistError(f"{name[:MAX_NAME]}: {error}", line=line) from error


def _read(name: str, tokens: Sequence[str], environment: Environment) -> Device:
    if not (kind := _kind_by_letter(tokens[0])):
        raise ValueError(f"expected a device of a kind in {' '.join(PIN_NAMES)}, got {tokens[0][:MAX_NAME]!r}")
    tokens = _normalize(kind, tokens)
    if len(tokens) > MAX_WORDS:
        raise ValueError(f"expected at most {MAX_WORDS} words, got {len(tokens)}")
    count = count_nodes(kind, tokens[1:])
    nodes = tuple(tokens[1 : 1 + count])
    # A backslash at the end of a word would continue the line if the word were written as the last one.
    words = [text for word in tokens[1 + count :] if (text := word.rstrip("\\"))]
    if len(nodes) < count or (kind == "X" and not count):
        raise ValueError(f"expected {max(count, 1)} nodes, got {len(nodes)}: {' '.join(tokens)[:80]!r}")
    if invalid_nodes := [node for node in nodes if not is_node_name(node) or len(node) > MAX_NAME]:
        raise ValueError(f"expected a node such as 3 or out, got {invalid_nodes[0][:MAX_NAME]!r}")
    if kind in "RCLVIDQMJ":
        before_remark = list(takewhile(lambda word: not _REMARK.fullmatch(word), words))
        if not before_remark and any(map(is_number, words)):
            raise ValueError(f"expected a value or a model after the nodes, got {words[0][:40]!r}")
        words = before_remark
    words = substitute(words, environment.parameters, kind=kind)
    value_kind = "B" if kind in "EG" and count == 2 else kind
    plain_words, factor = environment.split_factor(value_kind, words)
    value, ac, text = parse_value(value_kind, plain_words)
    if value is None and ac is None:
        text = parse_value(value_kind, words)[2]
    elif factor != 1:
        value = None if value is None else value * factor
        ac = None if ac is None else ac * factor
    is_aside = value is not None and kind in "RLCVI" and _ASIDE.fullmatch(text)
    return Device(name=name, kind=kind, nodes=nodes, value=value, ac=ac, text="" if is_aside else text)


def _normalize(kind: str, tokens: Sequence[str]) -> Sequence[str]:
    """The words in the order of SPICE's own statements."""
    if kind == "E" and len(tokens) > 5 and tokens[3].lower() == "opamp":
        tokens = [*tokens[:3], *tokens[4:6], *(tokens[6:] or ["inf"])]  # lcapy's E1 3 0 opamp 1 2 [Ad [Ac]]
    if kind in "EG" and len(tokens) > 4 and (pair := _NODE_PAIR.fullmatch(tokens[3])):
        return [*tokens[:3], *pair.groups(), *tokens[4:]]  # E1 3 0 (1,2) 100k
    # CDL writes a slash between the nodes and the subcircuit.
    return [word for word in tokens if word != "/"] if kind == "X" else tokens
