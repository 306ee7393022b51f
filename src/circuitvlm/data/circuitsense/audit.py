"""Can this data be trusted? What is in it, what comes twice, and which answers an exact solver contradicts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from circuitvlm.circuit import netlist, quantity
from circuitvlm.circuit.graph import Circuit
from circuitvlm.circuit.judge import verdict
from circuitvlm.circuit.solve import probe
from circuitvlm.core.record import Example
from circuitvlm.data.circuitsense.draft import PARTS
from circuitvlm.data.circuitsense.examples import Read
from circuitvlm.data.circuitsense.kinds import KINDS
from circuitvlm.data.circuitsense.source import CircuitSense, share_of
from circuitvlm.runtime.progress import bar

SPLITS = {"train": {"share": 0.8}, "validation": {"share": 0.1}, "test": {"share": 0.1}}
SHOWN = 10
"""Of each finding, how many are named in the lines."""

Groups = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Contradiction:
    """An answer that the netlist of its own item contradicts: what it says, and what the solver finds."""

    id: str
    kind: str
    said: str
    found: str


@dataclass(frozen=True, slots=True)
class Audit:
    """What was found. `counts` is by (level, kind). Groups name circuits by their tag, and images by their items."""

    counts: Mapping[tuple[str, str], int]
    unusable: Mapping[str, int]
    unread_netlists: int
    isomorphic: Groups
    same_image: Groups
    across_splits: int
    checked: int
    unchecked: Mapping[str, int]
    contradictions: tuple[Contradiction, ...]

    def lines(self) -> list[str]:
        """The audit for people, one finding a line."""
        rows = [f"{count} of level {level}, {kind}" for (level, kind), count in sorted(self.counts.items())]
        rows += [f"{count} cannot be used: {reason}" for reason, count in sorted(self.unusable.items())]
        rows.append(f"{self.unread_netlists} netlists cannot be read")
        rows += _grouped(self.isomorphic, what="groups of circuits are isomorphic")
        rows += _grouped(self.same_image, what="images come more than once under other circuits")
        rows.append(f"{self.across_splits} topologies lie in more than one split")
        rows.append(f"{len(self.contradictions)} of {self.checked} checked answers are contradicted by the solver")
        shown = self.contradictions[:SHOWN]
        rows += [f"  {one.id} ({one.kind}): says {one.said[:80]!r}, found {one.found}" for one in shown]
        rows += [f"{count} answers could not be checked: {why}" for why, count in sorted(self.unchecked.items())]
        return rows


def audit(root: str, *, cache: str, revision: str = "main", max_samples: int | None = None, seed: int = 0) -> Audit:
    """Reads all parts of a root (a folder, or owner/name of the hub) and checks it. Raises as `CircuitSense` does."""
    source = CircuitSense(
        root=root,
        revision=revision,
        parts=PARTS,
        kinds=KINDS,
        splits=SPLITS,
        max_samples=max_samples,
        seed=seed,
        cache=cache,
        on_unusable="count",
    )
    return audited(source)


def audited(source: CircuitSense) -> Audit:
    """The audit of a source, with its own splits."""
    taken = source.scan.read
    checked, unchecked, wrong = 0, Counter[str](), list[Contradiction]()
    for read in bar(taken, label="checking answers"):
        kind = str(read.example.facts["kind"])
        check = {"transfer_function": _transfer, "measurement": _measurement}.get(kind)
        if check is None:
            continue
        try:
            found = check(read.example)
        except (_UncheckedError, ValueError, KeyError) as error:
            unchecked[str(error) if isinstance(error, _UncheckedError) else type(error).__name__] += 1
            continue
        checked += 1
        if found:
            wrong.append(Contradiction(read.example.id, kind, str(read.example.facts["answer"]), found))
    return Audit(
        counts=Counter((r.example.tags["level"], r.example.tags["kind"]) for r in taken),
        unusable=source.unusable,
        unread_netlists=source.scan.unread,
        isomorphic=_same((r.example.tags.get("topology", ""), r.example.tags["circuit"]) for r in taken),
        same_image=_same((image, r.example.tags["circuit"]) for r in taken for image in r.images),
        across_splits=_across(taken, source.shares),
        checked=checked,
        unchecked=unchecked,
        contradictions=tuple(wrong),
    )


class _UncheckedError(Exception):
    """Why an answer has no truth to be compared with."""


def _transfer(example: Example) -> str:
    """What is wrong with a transfer function: empty for one that is right."""
    facts = example.facts
    found = verdict.matches_circuit(
        str(facts["answer"]), _circuit(example), source=str(facts["source"]), output=str(facts["output"])
    )
    return "" if found is verdict.Verdict.EQUAL else found.value


def _measurement(example: Example) -> str:
    """The value that the solver finds, where it is not within 1 % of the answer; empty where it is."""
    asked = probe.parse(str(example.facts["probe"]))
    value = probe.measure(_circuit(example), asked)
    truth = quantity.Quantity(value, asked.unit)
    if quantity.compare(str(example.facts["answer"]), truth).number:
        return ""
    return f"{value.real:.6g} {truth.unit}"


def _circuit(example: Example) -> Circuit:
    text = example.facts.get("netlist")
    if not isinstance(text, str):
        raise _UncheckedError("no netlist")
    return netlist.parse(text)


def _same(pairs: Iterable[tuple[str, str]]) -> Groups:
    """The names that share a key, where two or more do."""
    groups: dict[str, dict[str, None]] = {}
    for key, name in pairs:
        if key:
            groups.setdefault(key, {})[name] = None
    return tuple(tuple(names) for names in groups.values() if len(names) > 1)


def _across(taken: Iterable[Read], shares: Mapping[str, float]) -> int:
    """Topologies in several splits: none, unless the dealing is broken."""
    places: dict[str, set[str]] = {}
    for read in taken:
        if topology := read.example.tags.get("topology"):
            places.setdefault(topology, set()).add(share_of(read.key, shares))
    return sum(len(splits) > 1 for splits in places.values())


def _grouped(groups: Groups, *, what: str) -> list[str]:
    named = [f"  {', '.join(group[:SHOWN])}" for group in groups[:SHOWN]]
    return [f"{len(groups)} {what}", *named]
