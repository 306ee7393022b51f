"""What does a statement of Spectre say in SPICE's words?"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from circuitvlm.circuit.graph import PIN_NAMES
from circuitvlm.circuit.netlist.lexer import Line, words

_INSTANCE = re.compile(r"([^\s()=]+)\s*\(([^()={}]*)\)\s*([A-Za-z_][\w.]*)(?=\s|$)(?!\s*=)(.*)", re.S)
_OPENING = frozenset({"simulator", "subckt", "topckt", "inline"})
_CARDS: dict[str, str] = {
    "subckt": ".subckt",
    "topckt": ".subckt",
    "ends": ".ends",
    "parameters": ".param",
    "global": ".global",
    "model": ".model",
    **dict.fromkeys(("simulator", "include", "ahdl_include", "save", "ic", "nodeset", "statistics"), ".options"),
}
_ANALYSES_WORDS = "options info tran ac dc dcop noise pss pnoise pac xf sp stb sweep montecarlo alter set"
_ANALYSES = frozenset(_ANALYSES_WORDS.split())
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
"""Spectre's own components: the kind, and the parameters that SPICE states without their names, in its order."""

_MASTERS = {"M": re.compile(r"[np](mos|ch|fet|4)\w*", re.I), "Q": re.compile(r"(npn|pnp)\w*", re.I)}
_WORDED_WORDS = "dc ac sin pulse pwl exp sffm am step poly value table laplace vol cur"
_WORDED = frozenset(_WORDED_WORDS.split())
"""What may follow the nodes of a source in SPICE, in brackets or not."""


def spoken_in_spice(lines: Sequence[Line]) -> list[Line]:
    """The lines with SPICE's words for Spectre's: its cards, and `NAME (nodes) master key=value ..`.

    A component of Spectre's own (resistor, vsource, vcvs ..) becomes SPICE's of its kind; what is none by its name and
    its number of nodes becomes the call of a subcircuit, an X before its name.
    """
    is_spectre = any(line.tokens[0].lower() in _OPENING and len(line.tokens) > 1 for line in lines)
    return [_translated(line, is_spectre=is_spectre) if is_spectre or "(" in line.raw else line for line in lines]


def _translated(line: Line, *, is_spectre: bool) -> Line:
    tokens = line.tokens
    if is_spectre and tokens[0].lower() == "inline":
        tokens = tokens[1:] or tokens
    if is_spectre and (card := _CARDS.get(tokens[0].lower())):
        return replace(line, tokens=(card, *tokens[1:]))
    if is_spectre and len(tokens) > 1 and tokens[1].lower() in _ANALYSES:
        return replace(line, tokens=(".options", *tokens))
    if "(" in line.raw and (match := _INSTANCE.fullmatch(line.raw)):
        name, nodes, master, rest = match.groups()
        said = _instance(name, nodes.replace(",", " ").split(), master, words(rest))
        tokens = tuple(said) if said else tokens
        return replace(line, tokens=tokens)
    return line


def _instance(name: str, nodes: list[str], master: str, rest: list[str]) -> list[str] | None:
    """The statement in SPICE's words; None where it is SPICE already."""
    kind = name[0].upper()
    primitive = _PRIMITIVES.get(master.lower())
    if primitive:
        kind, leading = primitive
        given = {key.lower(): value for key, sign, value in (word.partition("=") for word in rest) if sign}
        if kind in "VI" and given:
            return [_named(name, kind), *nodes, *_source(given)]
        stated = [given.pop(key) for key in leading if key in given]
        left = [word for word in rest if word.partition("=")[0].lower() in given]
        return [_named(name, kind), *nodes, *(stated or [master]), *left]
    wanted = _counts(kind)
    if kind == "X" or (kind not in "VIEGFHB" and len(nodes) in wanted):
        return None
    if kind in "VIEGFHB" and (len(nodes) in wanted or kind in "EG") and not _calls(name, master, rest):
        return None
    kind = next((k for k, pattern in _MASTERS.items() if pattern.fullmatch(master) and len(nodes) in _counts(k)), "X")
    return [_named(name, kind), *nodes, master, *rest]


def _calls(name: str, master: str, rest: Sequence[str]) -> bool:
    return master.lower() not in _WORDED and master.lower() != name.lower() and all("=" in word for word in rest)


def _counts(kind: str) -> tuple[int, ...]:
    pins = len(PIN_NAMES.get(kind, ()))
    return {"M": (3, 4), "Q": (3, 4), "X": ()}.get(kind, (pins,) if pins else ())


def _named(name: str, kind: str) -> str:
    return name if name[0].upper() == kind else kind + name


def _source(given: Mapping[str, str]) -> list[str]:
    """`dc=1 mag=1 phase=90` as `dc 1 ac 1 90`, the rest but `type=dc` as it is."""
    said = ["dc", given["dc"]] if "dc" in given else []
    if "mag" in given:
        said += ["ac", given["mag"], *([given["phase"]] if "phase" in given else [])]
    is_plain = said and given.get("type", "").lower() == "dc"
    left = {k: v for k, v in given.items() if k not in ("dc", "mag", "phase") and not (is_plain and k == "type")}
    return [*said, *(f"{key}={value}" for key, value in left.items())]
