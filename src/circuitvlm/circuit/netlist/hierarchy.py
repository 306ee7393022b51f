"""Replace the calls of subcircuits by the devices of their definitions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from types import MappingProxyType

from circuitvlm.circuit.graph import Device
from circuitvlm.circuit.mentions import rewrite_mentions
from circuitvlm.circuit.netlist import statement
from circuitvlm.circuit.netlist.environment import NOMINAL, Environment, read_model
from circuitvlm.circuit.netlist.expansion import expand
from circuitvlm.circuit.netlist.lexer import Line, NetlistError
from circuitvlm.circuit.netlist.parameter import assignments, resolve
from circuitvlm.circuit.netlist.value import is_number
from circuitvlm.circuit.quantity import parse_spice

MAX_DEPTH = 32
_OPENING_CARDS, _CLOSING_CARDS = (".subckt", ".macro"), (".ends", ".eom")
_TEMPERATURES = ("temp", "tnom")
_PARAMETER_CARDS = (".param", ".params", ".parameter", ".parameters")


@dataclass(slots=True)
class Definition:
    """The definition of a subcircuit: its outer nodes, the default values of its parameters, and its lines."""

    name: str
    line: int
    ports: tuple[str, ...] = ()
    defaults: dict[str, str] = field(default_factory=dict)
    body: list[Line] = field(default_factory=list)

    @property
    def device_lines(self) -> list[Line]:
        """The lines that are no cards; none where something is described elsewhere and only its nodes are stated."""
        return [line for line in self.body if not statement.is_card(line.tokens[0])]


@dataclass(slots=True)
class Hierarchy:
    """The lines outside subcircuits, and the definitions of subcircuits by their names in lower case."""

    top_lines: list[Line] = field(default_factory=list)
    definitions: dict[str, Definition] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    models: dict[str, Mapping[str, str]] = field(default_factory=dict)
    temperatures: dict[str, float] = field(default_factory=dict)
    global_nodes: set[str] = field(default_factory=set)

    def environment(self, parameters: Mapping[str, str]) -> Environment:
        """The environment of the values of devices whose parameters are these."""
        temperature, nominal = (self.temperatures.get(key, NOMINAL) for key in ("temp", "tnom"))
        return Environment(parameters, self.models, temperature, nominal)


def split_hierarchy(lines: Iterable[Line]) -> Hierarchy:
    """The hierarchy of the lines up to .end. Raises NetlistError for a definition without end."""
    hierarchy = Hierarchy()
    open_definitions: list[Definition] = []
    in_control = False
    for line in lines:
        word = line.tokens[0].lower()
        definition = open_definitions[-1] if open_definitions else None
        if word in (".control", ".endc"):
            in_control = word == ".control"
        if in_control:
            hierarchy.top_lines.append(line)
        elif _opens_definition(line):
            open_definitions.append(_read_definition(line))
        elif word in _CLOSING_CARDS and definition:
            _add_definition(hierarchy, open_definitions.pop())
        elif word == ".model" and (model := read_model(line.tokens)):
            hierarchy.models.update([model])
        elif word == ".temp" and len(line.tokens) == 2 and is_number(line.tokens[1]) and not definition:
            hierarchy.temperatures["temp"] = parse_spice(line.tokens[1])
        elif word == ".global":
            hierarchy.global_nodes.update(word.lower() for word in line.tokens[1:])
        elif word in _PARAMETER_CARDS and (definition or len(assignments(line.tokens)) == len(line.tokens) - 1):
            (definition.defaults if definition else hierarchy.parameters).update(assignments(line.tokens[1:]))
        else:
            if word in (".options", ".option"):
                values = assignments(line.tokens[1:]).items()
                hierarchy.temperatures |= {k: parse_spice(v) for k, v in values if k in _TEMPERATURES and is_number(v)}
            (definition.body if definition else hierarchy.top_lines).append(line)
            if word == ".end" and not definition:
                break
    if open_definitions:
        raise NetlistError(
            f"subcircuit {open_definitions[-1].name}: expected .ends, got the end of the text",
            line=open_definitions[-1].line,
        )
    hierarchy.parameters = resolve(hierarchy.parameters)
    return hierarchy


def _opens_definition(line: Line) -> bool:
    """Whether the line only opens a definition: with a name, and without another definition on the same line."""
    first, *words = line.tokens
    return first.lower() in _OPENING_CARDS and bool(words) and not {*_OPENING_CARDS, *_CLOSING_CARDS} & set(words)


def _read_definition(line: Line) -> Definition:
    """The definition that `.subckt inv in out params: wn=1u` opens."""
    words = [word for word in line.tokens[2:] if word.lower() not in ("params:", "param:")]
    ports = tuple(word.lower() for word in words if "=" not in word)
    return Definition(line.tokens[1], line.number, ports, assignments(words))


def _add_definition(hierarchy: Hierarchy, definition: Definition) -> None:
    first = hierarchy.definitions.setdefault(definition.name.lower(), definition)
    has_same_body = [line.tokens for line in first.body] == [line.tokens for line in definition.body]
    if not has_same_body or first.ports != definition.ports:
        raise NetlistError(
            f"subcircuit {definition.name}: expected one definition, got another one in line {first.line}",
            line=definition.line,
        )


def flatten(devices: Sequence[Device], hierarchy: Hierarchy, *, flat: bool, limit: int) -> list[Device]:
    """The devices, with calls of subcircuits replaced by the devices of their definitions.

    There are at most `limit` devices and calls. Without `flat`, given devices are returned unchanged. Without any
    device, the result is the devices of the definitions that no other definition calls.
    M1 in a call X1 becomes M.X1.M1, and its inner node a becomes n.X1.a. A call remains where its subcircuit is not
    defined, or has no devices. Raises NetlistError for a call whose number of nodes differs from its subcircuit's, and
    for a subcircuit that calls itself.
    """
    if devices and not flat:
        return list(devices)
    flattener = _Flattener(hierarchy, limit)
    for device in devices:
        flattener.add(device, path=device.name)
    tops = [] if devices else _find_tops(hierarchy)
    for top in tops:
        flattener.expand(top, path=top.name.upper() if len(tops) > 1 else "")
    return flattener.devices


def _find_tops(hierarchy: Hierarchy) -> list[Definition]:
    """The definitions that no other calls and that a current can flow through: with more than one outer node."""
    called_names = {
        _subcircuit_name(statement.read_device(line.tokens, line=line.number))
        for definition in hierarchy.definitions.values()
        for line in definition.body
        if line.tokens[0][0] in "Xx"
    }
    return [
        definition
        for name, definition in hierarchy.definitions.items()
        if name not in called_names
        and definition.device_lines
        and (len(definition.ports) != 1 or _has_ground(definition))
    ]


def _has_ground(definition: Definition) -> bool:
    words = (word for line in definition.body for word in line.tokens[1:])
    return any(statement.is_ground(word) or word.endswith("!") for word in words)


def _subcircuit_name(device: Device) -> str:
    """The name of the called subcircuit in lower case, "" where the device is no call."""
    return device.text.split(" ")[0].lower() if device.kind == "X" else ""


@dataclass(slots=True)
class _Flattener:
    """Collects the devices of a whole circuit. `calls` counts the calls of subcircuits."""

    hierarchy: Hierarchy
    limit: int
    devices: list[Device] = field(default_factory=list)
    calls: int = 0

    def add(self, device: Device, *, path: str, callers: tuple[str, ...] = (), line: int | None = None) -> None:
        """Add the device, or the devices of the subcircuit that it calls, with `path` before their names.

        `device` has its name in the whole circuit.
        """
        definition = self.hierarchy.definitions.get(_subcircuit_name(device))
        if definition is None or not definition.device_lines:
            self.devices += expand(device)
        else:
            if len(definition.ports) != len(device.nodes):
                raise NetlistError(
                    f"{device.name}: expected the {len(definition.ports)} nodes of subcircuit {definition.name},"
                    f" got {len(device.nodes)}",
                    line=line,
                )
            key = definition.name.lower()
            if key in callers or len(callers) == MAX_DEPTH:
                raise NetlistError(
                    f"subcircuit {definition.name}: expected calls at most {MAX_DEPTH} deep,"
                    f" got one that {'calls itself' if key in callers else 'is deeper'}",
                    line=definition.line,
                )
            self.calls += 1
            self.expand(
                definition,
                path=path,
                nodes=device.nodes,
                values=assignments(device.text.split(" ")[1:]),
                callers=(*callers, key),
            )
        if len(self.devices) > self.limit or self.calls > self.limit:
            raise NetlistError(f"expected at most {self.limit} devices, got more", line=line)

    def expand(
        self,
        definition: Definition,
        *,
        path: str,
        nodes: Sequence[str] | None = None,
        values: Mapping[str, str] = MappingProxyType({}),
        callers: tuple[str, ...] = (),
    ) -> None:
        """Add the devices of a subcircuit that is called with these nodes and values of parameters."""
        environment = self.hierarchy.environment(
            resolve({**self.hierarchy.parameters, **definition.defaults, **values})
        )
        ports = dict(zip(definition.ports, nodes or (), strict=nodes is not None))
        scope = _Scope(path, ports, self.hierarchy.global_nodes)
        line_numbers: dict[str, int] = {}
        for line in definition.device_lines:
            device = statement.read_device(line.tokens, line=line.number, environment=environment)
            if (first := line_numbers.setdefault(device.name, line.number)) != line.number:
                raise NetlistError(
                    f"{device.name}: expected one device with this name, got another one in line {first}",
                    line=line.number,
                )
            inner_path = f"{path}.{device.name}" if path else device.name
            self.add(scope.rename(device), path=inner_path, callers=callers, line=line.number)


@dataclass(frozen=True, slots=True)
class _Scope:
    """The names inside a called subcircuit: their prefix, the outer nodes of its ports, and the global nodes."""

    path: str
    ports: Mapping[str, str]
    global_nodes: Collection[str]

    def rename(self, device: Device) -> Device:
        """The device with its name and nodes in the whole circuit."""
        return replace(
            device,
            name=self._device_name(device.name),
            nodes=tuple(map(self._node_name, device.nodes)),
            text=rewrite_mentions(
                device, lambda m: self._node_name(m.name) if m.is_node else self._device_name(m.name)
            ),
        )

    def _device_name(self, name: str) -> str:
        if self.path:
            return _join(name[0].upper(), self.path, name.upper())
        return name if statement.kind_of(name) else _join(name[0].upper(), name.upper())  # a diode DC

    def _node_name(self, node: str) -> str:
        key = node.lower()
        if key in self.ports:
            return self.ports[key]
        is_global = not self.path or statement.is_ground(node) or node.endswith("!") or key in self.global_nodes
        return node if is_global else _join("n", self.path, node)  # n is no device's letter, so that X1.n stays free


def _join(*parts: str) -> str:
    """The parts with points between them; a name that is too long ends in a hash."""
    name = ".".join(parts)
    is_long = len(name) > statement.MAX_NAME
    return f"{name[:40]}.{blake2b(name.lower().encode(), digest_size=8).hexdigest()}" if is_long else name
