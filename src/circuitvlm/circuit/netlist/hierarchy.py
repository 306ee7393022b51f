"""Which devices does a netlist of subcircuits consist of?"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from types import MappingProxyType

from circuitvlm.circuit.graph import Device
from circuitvlm.circuit.netlist import statement
from circuitvlm.circuit.netlist.lexer import Line, NetlistError
from circuitvlm.circuit.netlist.parameter import resolved, stated
from circuitvlm.circuit.reference import rewritten

MAX_DEPTH = 32
_OPENING, _CLOSING = (".subckt", ".macro"), (".ends", ".eom")
_PARAMETERS = (".param", ".params", ".parameter", ".parameters")


@dataclass(slots=True)
class Definition:
    """A subcircuit: its nodes to the outside, the parameters that it states, and its lines."""

    name: str
    line: int
    ports: tuple[str, ...] = ()
    defaults: dict[str, str] = field(default_factory=dict)
    body: list[Line] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether it only states the nodes of something that is described elsewhere."""
        return all(statement.is_card(line.tokens[0]) for line in self.body)


@dataclass(slots=True)
class Hierarchy:
    """A netlist's lines, taken apart: what stands outside of subcircuits, and these by their names in lower case."""

    top: list[Line] = field(default_factory=list)
    definitions: dict[str, Definition] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    shared: set[str] = field(default_factory=set)


def taken_apart(lines: Iterable[Line]) -> Hierarchy:
    """The hierarchy of these lines up to .end. Raises NetlistError for what is opened and never closed."""
    found = Hierarchy()
    inside: list[Definition] = []
    commanding = False
    for line in lines:
        word = line.tokens[0].lower()
        if word[0] != ".":
            (inside[-1].body if inside and not commanding else found.top).append(line)
            continue
        if word in (".control", ".endc"):
            commanding = word == ".control"
        if commanding:
            found.top.append(line)
        elif word in _OPENING and len(line.tokens) > 1 and not set(line.tokens[1:]) & {*_OPENING, *_CLOSING}:
            inside.append(_opened(line))
        elif word in _CLOSING and inside:
            _keep(found, inside.pop())
        elif word == ".end" and not inside:
            found.top.append(line)
            break
        elif word == ".global":
            found.shared.update(word.lower() for word in line.tokens[1:])
        elif word in _PARAMETERS and (inside or len(stated(line.tokens)) == len(line.tokens) - 1):
            (inside[-1].defaults if inside else found.parameters).update(stated(line.tokens[1:]))
        else:
            (inside[-1].body if inside else found.top).append(line)
    if inside:
        raise NetlistError(f"subcircuit {inside[-1].name} has no .ends", line=inside[-1].line)
    found.parameters = resolved(found.parameters)
    return found


def _opened(line: Line) -> Definition:
    """What `.subckt inv in out params: wn=1u` states."""
    words = [word for word in line.tokens[2:] if word.lower() not in ("params:", "param:")]
    ports = tuple(word for word in words if "=" not in word)
    return Definition(line.tokens[1], line.number, tuple(port.lower() for port in ports), stated(words))


def _keep(found: Hierarchy, definition: Definition) -> None:
    key = definition.name.lower()
    known = found.definitions.setdefault(key, definition)
    same = [line.tokens for line in known.body] == [line.tokens for line in definition.body]
    if not same or known.ports != definition.ports:
        there = f"subcircuit {definition.name} is there twice, first in line {known.line}"
        raise NetlistError(there, line=definition.line)


def flattened(devices: Sequence[Device], found: Hierarchy, *, flat: bool, limit: int) -> list[Device]:
    """The devices with those of the subcircuits that they call instead of the calls, at most `limit` of both.

    Not `flat`, devices that there are stay as they are. Without any, those of the subcircuits that no other calls.
    M1 in a call X1 becomes M.X1.M1, its inner node a n.X1.a. Calls of what is nowhere defined, or defined without a
    device, stay. Raises NetlistError for a call with another number of nodes than its subcircuit has, and for a
    subcircuit that calls itself.
    """
    if devices and not flat:
        return list(devices)
    whole = _Flat(found, limit)
    for device in devices:
        whole.add(device, path=device.name)
    if not devices:
        tops = _tops(found)
        for top in tops:
            whole.open(top, path=top.name.upper() if len(tops) > 1 else "")
    return whole.devices


def _tops(found: Hierarchy) -> list[Definition]:
    """The definitions that none calls and that a current can flow through: a single node is no circuit."""
    lines = [line for definition in found.definitions.values() for line in definition.body]
    called = {_called(statement.read(x.tokens, line=x.number)) for x in lines if x.tokens[0][0] in "Xx"}
    return [
        definition
        for key, definition in found.definitions.items()
        if key not in called and not definition.is_empty and (len(definition.ports) != 1 or _grounded(definition))
    ]


def _grounded(definition: Definition) -> bool:
    words = (word for line in definition.body for word in line.tokens[1:])
    return any(statement.is_ground(word) or word.endswith("!") for word in words)


def _called(device: Device) -> str:
    return device.text.split(" ")[0].lower() if device.kind == "X" else ""


@dataclass(slots=True)
class _Flat:
    found: Hierarchy
    limit: int
    devices: list[Device] = field(default_factory=list)
    calls: int = 0

    def add(self, device: Device, *, path: str, within: tuple[str, ...] = (), line: int | None = None) -> None:
        """Takes the device, named as in the whole circuit, or what it calls: then `path` goes before inner names."""
        called = self.found.definitions.get(_called(device))
        if called is None or called.is_empty:
            self.devices.append(device)
        else:
            if len(called.ports) != len(device.nodes):
                counts = f"has {len(device.nodes)} nodes, its subcircuit {called.name} {len(called.ports)}"
                raise NetlistError(f"{device.name} {counts}", line=line)
            if called.name.lower() in within or len(within) == MAX_DEPTH:
                raise NetlistError(f"{called.name} calls itself, or others over {MAX_DEPTH} deep", line=called.line)
            self.calls += 1
            given = stated(device.text.split(" ")[1:])
            self.open(called, path=path, outer=device.nodes, given=given, within=(*within, called.name.lower()))
        if len(self.devices) > self.limit or self.calls > self.limit:
            raise NetlistError(f"more than {self.limit} devices", line=line)

    def open(
        self,
        definition: Definition,
        *,
        path: str,
        outer: Sequence[str] | None = None,
        given: Mapping[str, str] = MappingProxyType({}),
        within: tuple[str, ...] = (),
    ) -> None:
        """Takes the devices of a subcircuit, where called with these nodes and parameters."""
        parameters = resolved(self.found.parameters | definition.defaults | dict(given))
        place = _Place(path, dict(zip(definition.ports, outer or (), strict=outer is not None)), self.found.shared)
        met: dict[str, int] = {}
        for line in definition.body:
            if statement.is_card(line.tokens[0]):
                continue
            device = statement.read(line.tokens, line=line.number, parameters=parameters)
            if device.name in met:
                raise NetlistError(f"{device.name} is there twice, first in line {met[device.name]}", line=line.number)
            met[device.name] = line.number
            inner = f"{path}.{device.name}" if path else device.name
            self.add(place.of(device), path=inner, within=within, line=line.number)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a subcircuit stands: the names before its own, what its nodes are outside, and the nodes that all share."""

    path: str
    ports: Mapping[str, str]
    shared: Collection[str]

    def of(self, device: Device) -> Device:
        """The device as it is called in the whole circuit."""
        return replace(
            device,
            name=self._name(device.name),
            nodes=tuple(map(self._node, device.nodes)),
            text=rewritten(device, lambda said: self._node(said.name) if said.is_node else self._name(said.name)),
        )

    def _name(self, name: str) -> str:
        if self.path:
            return _joined(name[0].upper(), self.path, name.upper())
        return name if statement.kind_of(name) else _joined(name[0].upper(), name.upper())  # a diode DC

    def _node(self, node: str) -> str:
        key = node.lower()
        if key in self.ports:
            return self.ports[key]
        common = not self.path or statement.is_ground(node) or node.endswith("!") or key in self.shared
        return node if common else _joined("n", self.path, node)  # no device's letter: X1.n could be one's name


def _joined(*parts: str) -> str:
    """The parts with points between them, the end of what is too long for a name as a hash."""
    name = ".".join(parts)
    if len(name) <= statement.MAX_NAME:
        return name
    return f"{name[:40]}.{blake2b(name.lower().encode(), digest_size=8).hexdigest()}"
