"""Read the devices of a netlist line by line, among titles, cards and prose."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from circuitvlm.circuit.graph import Device
from circuitvlm.circuit.netlist import detection, statement
from circuitvlm.circuit.netlist.hierarchy import flatten, split_hierarchy
from circuitvlm.circuit.netlist.lexer import Line, NetlistError
from circuitvlm.circuit.netlist.spectre import translate_lines

MAX_DEVICES = 20_000
MAX_REMARKS = 100

_MAX_PREFIX = 3
"""How many words may stand before a device on its line."""

_SKIPPED_PARTS = {".control": ".endc", ".subckt": ".ends", ".macro": ".eom"}
"""The first and the last cards of parts that are skipped: commands and definitions of subcircuits."""

_RESUMABLE_CARDS = frozenset({".model", ".param", ".options", ".option", ".op", ".temp", ".include", ".lib", ".global"})
"""Cards that a device may follow on the same line. In others (.dc V1 0 10 1) the words of a device are arguments."""

_ANALYSIS_CARDS = frozenset({
    ".op", ".dc", ".ac", ".tran", ".tf", ".noise", ".disto", ".pz", ".sens", ".four", ".fourier", ".print", ".plot",
    ".probe", ".save", ".meas", ".measure", ".width", ".backanno", ".title", ".end", ".ends", ".eom", ".endc",
})  # fmt: skip
"""Cards that say what is to be computed or printed. They change nothing of the circuit."""

_BULLET = re.compile(r"[-•]|\d{1,3}[.)]")
_LINE_PREFIX = re.compile(r">+|\d{1,3}:?|\(\w{1,3}\)")


class Reader:
    """Reads the lines of a netlist one after the other.

    `devices` holds the devices outside subcircuits, `title` the words before the first device, and `line_numbers` the
    number of each device's line by the device's name. `wires` are pairs of nodes that are one (lcapy's `W 1 2`), and
    `remarks` says what is not read.

    In a file, and in a text that ends with .end, every line after the first device or card is a device, a card or an
    error. In a file it is one device.
    """

    def __init__(self, lines: Sequence[Line], *, is_file: bool = False) -> None:
        self.devices: list[Device] = []
        self.wires: list[tuple[str, str]] = []
        self.remarks: list[str] = []
        self._remark_count = 0
        self._is_file = is_file
        self.is_deck = is_file or any(line.tokens[0].lower() == ".end" for line in lines[1:])
        self._has_begun = False  # whether a device or a card has been read
        self.title = ""
        self.line_numbers: dict[str, int] = {}
        self._all_lines = lines
        self._hierarchy = split_hierarchy(translate_lines(lines))
        self._lines = self._hierarchy.top_lines
        self._skipped_until: list[str] = []  # the cards that end the open parts
        self._node_keys: set[str] = set()
        self._prose: list[Line] = []
        self._known_nodes: dict[bool, frozenset[str]] = {}

    def read(self, *, flat: bool) -> list[Device]:
        """The devices; with `flat`, those of called subcircuits in place of the calls. Raises NetlistError."""
        for i, line in enumerate(self._lines):
            if not self._read_line(line, index=i):
                break
        for prose in self._prose:
            if " ".join(prose.tokens) != self.title:
                self._remark(prose.number, "no device", prose.tokens)
        if self._remark_count > MAX_REMARKS:
            self.remarks.append(f"and {self._remark_count - MAX_REMARKS} more lines and words that are not read")
        return flatten(self.devices, self._hierarchy, flat=flat, limit=MAX_DEVICES)

    def no_device_error(self) -> NetlistError:
        """The reason why the text has no device."""
        for line in self._prose:
            if statement.kind_of(line.tokens[0]) and statement.has_digit(line.tokens[0]):
                try:
                    statement.read_device(line.tokens, line=line.number)
                except NetlistError as error:
                    return error
        start = repr(" ".join(self._all_lines[0].tokens)[:60]) if self._all_lines else "an empty text"
        return NetlistError(f"no device: expected lines such as `R1 1 2 4.7k`, got {start}")

    def _read_line(self, line: Line, *, index: int) -> bool:
        """Read one line. Returns False at .end."""
        tokens = line.tokens if self._is_file else _strip_prefix(line.tokens)
        position = 0
        if not self._skipped_until and not statement.is_card(tokens[0]):
            position = self._find_first_device(tokens, line=line, index=index)
        self._has_begun = self._has_begun or position < len(tokens)
        while position < len(tokens):
            word = tokens[position].lower()
            if self._skipped_until:
                position = self._skip_word(tokens, position)
            elif word == ".end":
                return False
            elif statement.is_card(word):
                position = self._read_card(tokens, position, line=line.number)
            else:
                start, position = position, self._find_end(tokens, position)
                self._read_device(tokens[start:position], line=line.number)
        return True

    def _find_end(self, tokens: Sequence[str], start: int) -> int:
        """Where the device ends that begins at `start`."""
        if self._is_file or not statement.kind_of(tokens[start]):
            return len(tokens)
        return detection.find_end(tokens, start, known_nodes=self._node_keys)

    def _find_first_device(self, tokens: Sequence[str], *, line: Line, index: int) -> int:
        """The position of the first device of the line; the number of words where there is none."""
        if self.is_deck and self._has_begun:
            return 0
        if self._is_file and line.number == 1 and not self._is_fragment(tokens, line=line, index=index):
            self.title = " ".join(tokens)
            if detection.is_device(tokens):
                self._remark(line.number, "taken as the title", tokens)
            self._has_begun = True
            return len(tokens)
        if self._is_file:
            return 0
        if self._explains_device(tokens):
            self._prose.append(line)
            return len(tokens)
        if self._is_device_line(tokens, line=line, index=index):
            self._refuse_prose_between()
            return 0
        begin = _find_next(tokens, int(self._may_be_title(line) and detection.is_device(tokens)))
        if not self.devices:
            is_malformed = detection.is_malformed_device(tokens)
            self.title = self.title or " ".join(tokens[:begin])
        elif begin <= _MAX_PREFIX and begin < len(tokens) and detection.confidence(tokens, begin) == detection.SURE:
            self._refuse_prose_between()
            return begin  # `Resistor R2 2 0 2k`
        else:
            is_malformed = statement.has_digit(tokens[0][:4]) and tokens[0][0].isalpha() and len(tokens) > 1
            begin = len(tokens)
        if begin == len(tokens):
            if is_malformed:
                statement.read_device(tokens, line=line.number)  # raises the error of the device
            self._prose.append(line)
        return begin

    def _is_fragment(self, tokens: Sequence[str], *, line: Line, index: int) -> bool:
        """Whether the first line of a file is no title: the text has no .end, and the line states a device."""
        has_end = any(line.tokens[0].lower() == ".end" for line in self._all_lines)
        return not has_end and self._is_device_line(tokens, line=line, index=index)

    def _is_device_line(self, tokens: Sequence[str], *, line: Line, index: int) -> bool:
        """Whether the line begins with a device."""
        if self._is_call(tokens):
            return True
        may_be_title = self._may_be_title(line)
        is_device = detection.is_device(tokens)
        if is_device and may_be_title:
            next_words = {word.lower() for line in self._lines[index + 1 :] for word in line.tokens[1:5]}
            is_device = detection.is_device_not_title(tokens, next_words=next_words)
        return is_device or (
            len(tokens) > 2
            and detection.has_known_nodes(tokens, known_nodes=self._find_nodes(), needs_all=may_be_title)
        )

    def _may_be_title(self, line: Line) -> bool:
        return line.number == self._all_lines[0].number and not (self.devices or self._prose or self.title)

    def _is_call(self, tokens: Sequence[str]) -> bool:
        """Whether the line calls a subcircuit that the text defines: `XA in m stage`."""
        return tokens[0][0] in "Xx" and any(word.lower() in self._hierarchy.definitions for word in tokens[2:])

    def _explains_device(self, tokens: Sequence[str]) -> bool:
        """Whether a line explains a device that has been read: `R1 is the load resistor.`"""
        is_known = tokens[0].rstrip(":").upper() in self.line_numbers and not detection.confidence(tokens)
        return is_known and not any(detection.is_node(word, known_nodes=self._find_nodes()) for word in tokens[1:3])

    def _find_nodes(self) -> frozenset[str]:
        """The nodes, in lower case, of all lines that state devices by their form.

        Of several lines with one name the first counts. The first line of the text may be a title, and counts only
        after a device has been read from it.
        """
        includes_first = bool(self.devices) and self.line_numbers[self.devices[0].name] == self._lines[0].number
        if includes_first not in self._known_nodes:
            nodes_by_name: dict[str, Sequence[str]] = {}
            for line in self._lines[not includes_first :]:
                tokens = _strip_prefix(line.tokens)
                if detection.is_device(tokens):
                    nodes_by_name.setdefault(tokens[0].rstrip(":").upper(), detection.node_words(tokens))
            self._known_nodes[includes_first] = frozenset(
                node.lower() for nodes in nodes_by_name.values() for node in nodes
            )
        return self._known_nodes[includes_first]

    def _refuse_prose_between(self) -> None:
        """Raise NetlistError where a line between two devices is neither a device nor a card."""
        if self.devices and self._prose and self._prose[-1].number > self.line_numbers[self.devices[-1].name]:
            line = self._prose[-1]
            raise NetlistError(f"expected a device or a card, got {' '.join(line.tokens)[:60]!r}", line=line.number)

    def _remark(self, line: int, reason: str, tokens: Sequence[str]) -> None:
        """Add a remark about words that are not read; beyond MAX_REMARKS they are only counted."""
        self._remark_count += 1
        if self._remark_count <= MAX_REMARKS:
            self.remarks.append(f"line {line}: {reason}: {' '.join(tokens)[:60]!r}")

    def _skip_word(self, tokens: Sequence[str], position: int) -> int:
        """Skip one word of a part that is not read. Returns the position of the next word to be read."""
        word, last = tokens[position].lower(), self._skipped_until[-1]
        if word == last:
            self._skipped_until.pop()
        elif _SKIPPED_PARTS.get(word) == last:
            self._skipped_until.append(last)
        return position + 1 if self._skipped_until else _find_next(tokens, position + 1)

    def _read_card(self, tokens: Sequence[str], position: int, *, line: int) -> int:
        """Read a card. Returns the position after it."""
        word = tokens[position].lower()
        if word not in _ANALYSIS_CARDS:
            self._remark(line, "not read", tokens[position : position + 12])
        if word == ".title" and not self.title:
            self.title = " ".join(tokens[position + 1 :])
        if word in _SKIPPED_PARTS:
            self._skipped_until.append(_SKIPPED_PARTS[word])
            return position + 1
        if self._is_file:
            return len(tokens)
        if word in _RESUMABLE_CARDS:
            return _find_next(tokens, position + 1, known_nodes=self._node_keys)
        return next((i for i in range(position + 1, len(tokens)) if statement.is_card(tokens[i])), len(tokens))

    def _read_device(self, tokens: Sequence[str], *, line: int) -> None:
        if statement.is_wire(tokens):
            self.wires.append((tokens[1], tokens[2]))
            return
        environment = self._hierarchy.environment(self._hierarchy.parameters)
        device = statement.read_device(tokens, line=line, environment=environment)
        if device.name in self.line_numbers:
            raise NetlistError(
                f"{device.name}: expected one device with this name, got another one in line"
                f" {self.line_numbers[device.name]}",
                line=line,
            )
        if len(self.devices) >= MAX_DEVICES:
            raise NetlistError(f"expected at most {MAX_DEVICES} devices, got another one: {device.name}", line=line)
        self.line_numbers[device.name] = line
        self._node_keys.update(map(statement.node_key, device.nodes))
        self.devices.append(device)


def _find_next(tokens: Sequence[str], start: int, *, known_nodes: Collection[str] = ()) -> int:
    """The position of the next card or device, from `start` on; the number of words where there is none."""
    starts = (
        i
        for i in range(start, len(tokens))
        if statement.is_card(tokens[i])
        or detection.starts_device(tokens, i)
        or (known_nodes and detection.starts_by_nodes(tokens, i, known_nodes=known_nodes))
    )
    return next(starts, len(tokens))


def _strip_prefix(tokens: tuple[str, ...]) -> tuple[str, ...]:
    """The words without the bullet, line number or sign of quotation that a chat answer puts before a device.

    The lexer has already removed the bracket of `1)`.
    """
    has_bullet = len(tokens) > 1 and _BULLET.fullmatch(tokens[0])
    has_prefix = len(tokens) > 3 and _LINE_PREFIX.fullmatch(tokens[0]) and detection.is_device(tokens[1:])
    return tokens[1:] if has_bullet or has_prefix else tokens
