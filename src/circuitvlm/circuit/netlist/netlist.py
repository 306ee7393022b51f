"""Which circuit does this text state, and how is a circuit written?"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from circuitvlm.circuit.drive import phasors
from circuitvlm.circuit.graph import GROUND, Circuit, Device
from circuitvlm.circuit.netlist import hierarchy, statement, writer
from circuitvlm.circuit.netlist.lexer import Line, NetlistError, lex
from circuitvlm.circuit.netlist.lexer import words as split_words
from circuitvlm.circuit.netlist.spectre import spoken_in_spice
from circuitvlm.circuit.reference import Mention, mentions, rewritten

__all__ = ["MAX_DEVICES", "NetlistError", "deck", "format", "parse"]

MAX_DEVICES = 20_000

_LONGEST_PREFIX = 3
"""Words that may stand before a device on a line of its own."""

_SHUT = {".control": ".endc", ".subckt": ".ends", ".macro": ".eom"}
"""Cards that open a part which is not the circuit: commands are never read, subcircuits are not its top level."""

_STARS = re.compile(r"(?m)^[ \t]*\*[ \t]+")

_RESUMABLE = frozenset({".model", ".param", ".options", ".option", ".op", ".temp", ".include", ".lib", ".global"})
"""Cards that a device may follow on the same line of a flattened deck. In others (.dc V1 0 10 1) it would be one."""


def parse(text: str, *, flat: bool = True) -> Circuit:
    """The circuit that a SPICE-like text states: a flattened line, a deck with or without a title, CircuitSense's
    dialect, in a code fence or not.

    Dot cards, .control blocks and comments are skipped. The devices of each defined subcircuit stand for its calls;
    with `flat` false, calls stay devices and the bodies are skipped. A text of definitions alone is always flat: it is
    what those say that no other calls. Parameters of .param give way to their values; arithmetic stays text. CDL's and
    Spectre's ways of writing are read as well.
    Names become upper case, nodes keep their first spelling (compared without case), gnd and 0 are ground. Values that
    are no numbers stay in `Device.text`. Nothing is ever executed or included. Words before the first device are the
    title. Raises NetlistError, and nothing else, for what is no netlist.
    """
    reader = _Reader(lex(text))
    devices = reader.read(flat=flat)
    if not devices and "*" in text:  # a list whose marks are stars, all of it comments to SPICE
        reader = _Reader(lex(_STARS.sub("", text)))
        devices = reader.read(flat=flat)
    if not devices:
        raise reader.empty()
    circuit = Circuit(devices=tuple(_grounded(devices)), title=reader.title)
    _refuse_hidden(circuit, lines=reader.lines_of)
    return circuit


def format(circuit: Circuit, renumber: bool = True) -> str:
    """One device per line in the circuit's order, `NAME n1 n2 VALUE`, joined by newlines, no title, no final newline.

    With `renumber` the nodes are 1, 2, .. by first appearance and ground is 0; without, they keep their names, unless
    `parse` would then read something else (a first line that could be a title): then they are renumbered after all.
    Sources say `V1 1 0 DC_VALUE AC magnitude [degrees]` where they state a phasor. `format(parse(s))` is a fixed point
    for every s that it has returned. Raises NetlistError for a device that no line can state.
    """
    if not renumber:
        kept = {node: node for node in circuit.nodes}
        text = "\n".join(writer.line(device, names=kept) for device in circuit.devices)
        if _reads_as(text, circuit):
            return text
    names = writer.numbers(circuit)
    spelled = _spelled(circuit, names=names)
    return "\n".join(_written(device, names=names, spelled=spelled) for device in circuit.devices)


def deck(circuit: Circuit, analysis: str = "op") -> str:
    """A complete deck for `ngspice -b`, printing every node's voltage and each voltage source's and inductor's current.

    `analysis` is "op" or "ac <frequency in hertz>"; the sources follow `_drive.phasors`. Node k is the k-th node of
    `circuit.nodes` without ground. Nothing is copied from the circuit's text: names are checked, numbers are printed
    anew, so no card or command can come in. Raises NetlistError for what cannot be exported.
    """
    frequency = _frequency(analysis)
    names = writer.numbers(circuit)
    drive = phasors(circuit) if frequency else {}
    lines = ["circuitvlm", ".options filetype=ascii"]
    lines += [writer.exported(device, names=names, drive=drive) for device in circuit.devices]
    wanted = [f"v({name})" for name in names.values() if name != GROUND]
    wanted += [f"i({device.name.lower()})" for device in circuit.devices if device.kind in "VL"]
    lines.append(f".ac lin 1 {frequency!r} {frequency!r}" if frequency else ".op")
    lines += [f".print {'ac' if frequency else 'op'} {quantity}" for quantity in wanted]
    return "\n".join([*lines, ".end", ""])


class _Reader:
    """Walks over the lines, with what has been read so far."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.began = " ".join(lines[0].tokens)[:60] if lines else ""
        self.first = lines[0].number if lines else 0  # where a title may be
        self.hierarchy = hierarchy.taken_apart(spoken_in_spice(lines))
        self.lines = self.hierarchy.top
        self.devices: list[Device] = []
        self.title = ""
        self.lines_of: dict[str, int] = {}
        self._shut_until = ""
        self._depth = 0
        self._met: set[str] = set()  # nodes of the devices so far
        self._last = 0
        self._begins = False  # whether the first line is a device
        self._prose: list[Line] = []
        self._known: dict[bool, frozenset[str]] = {}

    def read(self, *, flat: bool) -> list[Device]:
        """The devices, if `flat` of called subcircuits too."""
        for place, line in enumerate(self.lines):
            if not self._line(line, place=place):
                break
        return hierarchy.flattened(self.devices, self.hierarchy, flat=flat, limit=MAX_DEVICES)

    def empty(self) -> NetlistError:
        """Why there is no device."""
        for line in self._prose:
            if statement.kind_of(line.tokens[0]) and statement.is_numbered(line.tokens[0]):
                try:
                    statement.read(line.tokens, line=line.number)
                except NetlistError as error:
                    return error
        if not self.began:
            return NetlistError("the text is empty; wanted devices such as `R1 1 2 4.7k`")
        return NetlistError(f"no device in the text that begins {self.began!r}; wanted lines such as `R1 1 2 4.7k`")

    def _line(self, line: Line, *, place: int) -> bool:
        """Reads one line; False at .end."""
        tokens = _unbulleted(line.tokens)
        at = 0
        if not self._shut_until and not statement.is_card(tokens[0]):
            at = self._first(tokens, line=line, place=place)
        while at < len(tokens):
            word = tokens[at].lower()
            if self._shut_until:
                at += 1
                self._depth += _SHUT.get(word) == self._shut_until
                if word == self._shut_until:
                    self._depth -= 1
                    if not self._depth:
                        self._shut_until = ""
                        at = _next(tokens, at)
            elif word == ".end":
                return False
            elif statement.is_card(word):
                at = self._card(tokens, at, line=line)
            else:
                end = statement.end_of(tokens, at, known=self._met)
                device = statement.read(tokens[at:end], line=line.number, parameters=self.hierarchy.parameters)
                self._add(device, line=line.number)
                at = end
        return True

    def _first(self, tokens: Sequence[str], *, line: Line, place: int) -> int:
        """Where the first device of the line begins; its length where there is none."""
        opening = line.number == self.first and not self.devices and not self._prose and not self.title
        if self._speaks_of_one(tokens):
            self._prose.append(line)
            return len(tokens)
        if statement.certain(tokens, context=self._after(place)) if opening else statement.possible(tokens):
            self._refuse_prose_between()
            return 0
        if len(tokens) > 2 and statement.linked(tokens, known=self._nodes(), every=opening):
            self._refuse_prose_between()
            return 0
        if not self.devices:
            begin = _next(tokens, 0)
            if begin == len(tokens):
                if statement.meant(tokens):
                    statement.read(tokens, line=line.number)  # says what is wrong with it
                self._prose.append(line)
            self.title = self.title or " ".join(tokens[:begin])
            return begin
        begin = _next(tokens, 0)
        if begin <= _LONGEST_PREFIX and begin < len(tokens) and statement.strength(tokens, begin) == 2:
            self._refuse_prose_between()
            return begin  # `Resistor R2 2 0 2k`
        if statement.is_numbered(tokens[0][:4]) and tokens[0][0].isalpha() and len(tokens) > 1:
            statement.read(tokens, line=line.number)  # meant as a device: says what is wrong with it
        self._prose.append(line)
        return len(tokens)

    def _speaks_of_one(self, tokens: Sequence[str]) -> bool:
        """Whether a line explains a device that has been read: `R1 is the load resistor.`"""
        if tokens[0].rstrip(":").upper() not in self.lines_of or statement.strength(tokens):
            return False
        return not any(statement.is_node(word, known=self._nodes()) for word in tokens[1:3])

    def _nodes(self) -> frozenset[str]:
        """The nodes, in lower case, of all lines that are devices by their form, of two of one name the former.

        The first line, perhaps a title, counts once a device has been read from it.
        """
        begun = self._begins
        if begun not in self._known:
            first: dict[str, Sequence[str]] = {}
            for line in self.lines[not begun :]:
                tokens = _unbulleted(line.tokens)
                if statement.possible(tokens):
                    first.setdefault(tokens[0].rstrip(":").upper(), statement.nodes_of(tokens))
            self._known[begun] = frozenset(node.lower() for nodes in first.values() for node in nodes)
        return self._known[begun]

    def _after(self, place: int) -> frozenset[str]:
        """The words that may be nodes in the lines after the first."""
        rest = (self.lines[i].tokens for i in range(place + 1, len(self.lines)))
        return frozenset(word.lower() for tokens in rest for word in tokens[1:5])

    def _refuse_prose_between(self) -> None:
        if self.devices and self._prose and self._prose[-1].number > self._last:
            line = self._prose[-1]
            raise NetlistError(f"{' '.join(line.tokens)[:60]!r} is neither a device nor a card", line=line.number)

    def _card(self, tokens: Sequence[str], at: int, *, line: Line) -> int:
        word = tokens[at].lower()
        if word == ".title" and not self.title:
            self.title = " ".join(tokens[at + 1 :])
        self._shut_until = _SHUT.get(word, "")
        if self._shut_until:
            self._depth = 1
            return at + 1
        if word in _RESUMABLE:
            return _next(tokens, at + 1, known=self._met)
        return next((i for i in range(at + 1, len(tokens)) if statement.is_card(tokens[i])), len(tokens))

    def _add(self, device: Device, *, line: int) -> None:
        if device.name in self.lines_of:
            raise NetlistError(f"{device.name} is there twice, first in line {self.lines_of[device.name]}", line=line)
        if len(self.devices) >= MAX_DEVICES:
            raise NetlistError(f"more than {MAX_DEVICES} devices", line=line)
        self._begins = self._begins or line == self.lines[0].number
        self.lines_of[device.name] = line
        self._last = line
        self._met.update(map(statement.key, device.nodes))
        self.devices.append(device)


def _next(tokens: Sequence[str], at: int, *, known: Collection[str] = ()) -> int:
    """Where the next card or device of the line begins, from `at` on; the line's length where there is none."""
    for i in range(at, len(tokens)):
        if statement.is_card(tokens[i]) or statement.starts(tokens, i):
            return i
        if known and statement.follows(tokens, i, known=known):
            return i
    return len(tokens)


def _unbulleted(tokens: tuple[str, ...]) -> tuple[str, ...]:
    """Without the mark of a list, the number of the line, or the sign of a quotation that a chat answer puts before it.

    `1)` has lost its bracket by now.
    """
    if len(tokens) > 1 and re.fullmatch(r"[-•]|\d{1,3}[.)]", tokens[0]):
        return tokens[1:]
    marked = len(tokens) > 3 and re.fullmatch(r">+|\d{1,3}:?|\(\w{1,3}\)", tokens[0]) is not None
    return tokens[1:] if marked and statement.possible(tokens[1:]) else tokens


def _grounded(devices: Sequence[Device]) -> list[Device]:
    """The devices with one spelling for each node, the first seen, and `0` for ground."""
    spelling: dict[str, str] = {}

    def name(node: str) -> str:
        key = node.casefold() if node.isascii() else node
        if key not in spelling:
            spelling[key] = GROUND if statement.is_ground(node) else node
        return spelling[key]

    return [replace(device, nodes=tuple(map(name, device.nodes))) for device in devices]


def _refuse_hidden(circuit: Circuit, *, lines: Mapping[str, int]) -> None:
    """Raises where a device, printed on a line of its own, would read as two: its text holds another."""
    numbers = writer.numbers(circuit)
    known = {*map(statement.key, circuit.nodes), *numbers.values()}
    for names in (numbers, {node: node for node in circuit.nodes}):
        spelled = _spelled(circuit, names=names)
        for device in circuit.devices:
            if device.text and (" " in device.text or device.kind == "X"):
                tokens = split_words(_written(device, names=names, spelled=spelled))
                whole = statement.possible(tokens) or statement.linked(tokens, known=known, every=False)
                if statement.end_of(tokens, 0, known=known) < len(tokens) or not whole:
                    raise NetlistError(
                        f"{device.name}: {device.text[:40]!r} may be its text or another device",
                        line=lines.get(device.name),
                    )


def _spelled(circuit: Circuit, *, names: Mapping[str, str]) -> dict[str, str]:
    """What the nodes that texts name are called, by their keys; where no device has such a node, one number more."""
    expressed = [device for device in circuit.devices if "(" in device.text]
    if not expressed:
        return {}
    spelled = {statement.key(node): name for node, name in names.items()}
    for device in expressed:
        for mention in mentions(device):
            if mention.is_node:
                spelled.setdefault(statement.key(mention.name), str(len(spelled)))
    return spelled


def _written(device: Device, *, names: Mapping[str, str], spelled: Mapping[str, str]) -> str:
    """The device's line with its nodes called as `names` says, those in its text as `spelled` does, by their keys."""

    def name(said: Mention) -> str:
        return spelled[statement.key(said.name)] if said.is_node else said.name

    return writer.line(replace(device, text=rewritten(device, name)) if "(" in device.text else device, names=names)


def _reads_as(text: str, circuit: Circuit) -> bool:
    """Whether the text, read again, is the circuit (but for digits that are not written)."""
    try:
        again = parse(text)
    except NetlistError:
        return False
    return [(d.name, d.nodes, d.text) for d in again.devices] == [(d.name, d.nodes, d.text) for d in circuit.devices]


def _frequency(analysis: str) -> float | None:
    stated = analysis.split()
    if stated == ["op"]:
        return None
    if (
        len(stated) == 2
        and stated[0] == "ac"
        and re.fullmatch(r"[0-9]{1,30}(\.[0-9]{1,30})?(e[+-]?[0-9]{1,2})?", stated[1])
    ):
        frequency = float(stated[1])
        if frequency > 0:
            return frequency
    raise NetlistError(f"the analysis is {analysis[:40]!r}; wanted 'op' or 'ac <frequency in hertz>' such as 'ac 1000'")
