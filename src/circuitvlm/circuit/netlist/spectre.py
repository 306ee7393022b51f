"""Translate statements of Spectre to SPICE's."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from circuitvlm.circuit.graph import PIN_NAMES
from circuitvlm.circuit.netlist.lexer import Line, split_words
from circuitvlm.circuit.netlist.parameter import assignments

_INSTANCE = re.compile(r"([^\s()=]+)\s*\(([^()={}]*)\)\s*([A-Za-z_][\w.]*)(?=\s|$)(?!\s*=)(.*)", re.S)
_FIRST_WORDS = frozenset({"simulator", "subckt", "topckt", "inline"})
"""Words that begin a line only in Spectre's language."""

_CARDS: dict[str, str] = {
    "subckt": ".subckt",
    "topckt": ".subckt",
    "ends": ".ends",
    "parameters": ".param",
    "global": ".global",
    "model": ".model",
    **dict.fromkeys(("simulator", "include", "ahdl_include", "save", "ic", "nodeset", "statistics"), ".options"),
}
_ANALYSES = re.compile(r"options|info|tran|ac|dc|dcop|noise|pss|pnoise|pac|xf|sp|stb|sweep|montecarlo|alter|set")
_PRIMITIVES: dict[str, tuple[str, tuple[str, ...]]] = {
    "resistor": ("R", ("r",)),
    "capacitor": ("C", ("c",)),
    "inductor": ("L", ("l",)),
    "vsource": ("V", ("dc",)),
    "isource": ("I", ("dc",)),
    "vcvs": ("E", ("gain",)),
    "vccs": ("G", ("gm",)),
    "cccs": ("F", ("probe", "gain")),
    "ccvs": ("H", ("probe", "rm")),
}
"""Spectre's own components: the kind, and the parameters that SPICE states without their names, in SPICE's order."""

_MASTERS = {"M": re.compile(r"[np](mos|ch|fet|4)\w*", re.I), "Q": re.compile(r"(npn|pnp)\w*", re.I)}
_SOURCE_KINDS = "VIEGFHB"
_SOURCE_WORDS = re.compile(r"dc|ac|sin|pulse|pwl|exp|sffm|am|step|poly|value|table|laplace|vol|cur")
"""Words that may follow the nodes of a source in SPICE."""


def translate_lines(lines: Sequence[Line]) -> list[Line]:
    """The lines with SPICE's cards and instances in place of Spectre's `NAME (nodes) master key=value ..`.

    A component of Spectre's own (resistor, vsource, vcvs ..) becomes SPICE's device of this kind. An instance whose
    name and number of nodes fit no kind becomes the call of a subcircuit, with an X before its name.
    """
    is_spectre = any(line.tokens[0].lower() in _FIRST_WORDS and len(line.tokens) > 1 for line in lines)
    return [
        replace(line, tokens=_translate(line, is_spectre=is_spectre)) if is_spectre or "(" in line.raw else line
        for line in lines
    ]


def _translate(line: Line, *, is_spectre: bool) -> tuple[str, ...]:
    tokens = line.tokens
    if is_spectre:
        if tokens[0].lower() == "inline":
            tokens = tokens[1:] or tokens
        if card := _CARDS.get(tokens[0].lower()):
            return (card, *tokens[1:])
        if len(tokens) > 1 and _ANALYSES.fullmatch(tokens[1].lower()):
            return (".options", *tokens)
    if "(" in line.raw and (match := _INSTANCE.fullmatch(line.raw)):
        name, nodes, master, parameters = match.groups()
        return _translate_instance(name, nodes.replace(",", " ").split(), master, split_words(parameters)) or tokens
    return line.tokens


def _translate_instance(name: str, nodes: list[str], master: str, words: list[str]) -> tuple[str, ...]:
    """The words of the statement in SPICE; none where it is SPICE already."""
    kind = name[0].upper()
    if master.lower() in _PRIMITIVES:
        kind, positional = _PRIMITIVES[master.lower()]
        parameters = assignments(words)
        if kind in "VI" and parameters:
            return (_prefix(name, kind), *nodes, *_source_words(parameters))
        values = [parameters.pop(key) for key in positional if key in parameters] or [master]
        named_words = [word for word in words if word.partition("=")[0].lower() in parameters]
        return (_prefix(name, kind), *nodes, *values, *named_words)
    fits = len(nodes) in _node_counts(kind) or kind in "EGX"
    if fits and not (kind in _SOURCE_KINDS and _is_master(master, name=name, words=words)):
        return ()
    masters = (k for k, pattern in _MASTERS.items() if pattern.fullmatch(master) and len(nodes) in _node_counts(k))
    return (_prefix(name, next(masters, "X")), *nodes, master, *words)


def _is_master(master: str, *, name: str, words: Sequence[str]) -> bool:
    """Whether a source's word after the nodes names a subcircuit: it is no value, and only parameters follow."""
    is_value = _SOURCE_WORDS.fullmatch(master.lower()) or master.lower() == name.lower()
    return not is_value and all("=" in word for word in words)


def _node_counts(kind: str) -> tuple[int, ...]:
    """The numbers of nodes that a device of this kind may have."""
    return (3, 4) if kind in "MQ" else (len(PIN_NAMES[kind]),) if PIN_NAMES.get(kind) else ()


def _prefix(name: str, kind: str) -> str:
    return name if name[0].upper() == kind else kind + name


def _source_words(parameters: Mapping[str, str]) -> list[str]:
    """`dc=1 mag=1 phase=90` as `dc 1 ac 1 90`; the others unchanged, except `type=dc`."""
    words = ["dc", parameters["dc"]] if "dc" in parameters else []
    if "mag" in parameters:
        words += ["ac", parameters["mag"], *([parameters["phase"]] if "phase" in parameters else [])]
    is_plain = words and parameters.get("type", "").lower() == "dc"
    used_keys = {"dc", "mag", "phase", *(["type"] if is_plain else [])}
    return [*words, *(f"{key}={value}" for key, value in parameters.items() if key not in used_keys)]
