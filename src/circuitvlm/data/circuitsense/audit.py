"""Audit CircuitSense data: what is in it, what is duplicated, and which answers the exact solver contradicts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from circuitvlm.circuit import netlist, quantity
from circuitvlm.circuit.graph import Circuit
from circuitvlm.circuit.judge import verdict
from circuitvlm.circuit.solve import probe
from circuitvlm.data._reading.groups import MAX_NAMES, Groups, format_groups, group_names
from circuitvlm.data.circuitsense.examples import Question
from circuitvlm.data.circuitsense.kinds import KINDS
from circuitvlm.data.circuitsense.raw import PARTS
from circuitvlm.data.circuitsense.source import CircuitSense
from circuitvlm.runtime.progress import bar

SPLITS = {"train": {"share": 0.8}, "validation": {"share": 0.1}, "test": {"share": 0.1}}
_MAX_ANSWER_LENGTH = 80


@dataclass(frozen=True, slots=True)
class Contradiction:
    """An answer that the netlist of its own question contradicts, with the result of the solver."""

    id: str
    kind: str
    answer: str
    result: str


@dataclass(frozen=True, slots=True)
class Audit:
    """The numbers of questions by (level, kind), of unusable ones by reason, and of checked and unchecked answers.

    `isomorphic_circuits` are groups of circuits with the same topology, and `image_circuits` with the same image.
    `divided_topologies` is the number of topologies in more than one split, which is not 0 only after an error.
    """

    counts: Mapping[tuple[str, str], int]
    unusable: Mapping[str, int]
    unread_netlists: int
    isomorphic_circuits: Groups
    image_circuits: Groups
    divided_topologies: int
    checked_answers: int
    unchecked_answers: Mapping[str, int]
    contradictions: tuple[Contradiction, ...]

    def lines(self) -> list[str]:
        """The report, one result a line."""
        return [
            *(f"{count} of level {level}, {kind}" for (level, kind), count in sorted(self.counts.items())),
            *(f"{count} cannot be used: {reason}" for reason, count in sorted(self.unusable.items())),
            f"{self.unread_netlists} netlists cannot be read",
            *format_groups(self.isomorphic_circuits, description="groups of circuits are isomorphic"),
            *format_groups(self.image_circuits, description="images belong to several circuits"),
            f"{self.divided_topologies} topologies are in more than one split",
            f"{len(self.contradictions)} of {self.checked_answers} checked answers are contradicted by the solver",
            *(
                f"  {c.id} ({c.kind}): answer {c.answer[:_MAX_ANSWER_LENGTH]!r}, result {c.result}"
                for c in self.contradictions[:MAX_NAMES]
            ),
            *(f"{n} answers could not be checked: {reason}" for reason, n in sorted(self.unchecked_answers.items())),
        ]


def audit(root: str, *, cache: str, revision: str = "main", max_samples: int | None = None, seed: int = 0) -> Audit:
    """Read all parts of a root (a folder, or owner/name on the hub) and check them. Raises as `CircuitSense` does."""
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
    questions = source.scan.questions
    topologies = [(q.example.tags["topology"], q) for q in questions if "topology" in q.example.tags]
    examples = [(split, example) for split in source.splits() for example in source.examples(split)]
    split_pairs = ((e.tags["topology"], split) for split, e in examples if "topology" in e.tags)
    checked_count, reasons, contradictions = _check_answers(questions)
    return Audit(
        counts=Counter((q.example.tags["level"], q.example.tags["kind"]) for q in questions),
        unusable=source.unusable,
        unread_netlists=source.scan.unread_netlists,
        isomorphic_circuits=group_names((topology, q.example.tags["circuit"]) for topology, q in topologies),
        image_circuits=group_names((image, q.example.tags["circuit"]) for q in questions for image in q.image_hashes),
        divided_topologies=len(group_names(split_pairs)),
        checked_answers=checked_count,
        unchecked_answers=reasons,
        contradictions=tuple(contradictions),
    )


def _check_answers(questions: Sequence[Question]) -> tuple[int, Counter[str], list[Contradiction]]:
    """The number of checked answers, of unchecked ones by reason, and the contradictions."""
    checked_count, reasons, contradictions = 0, Counter[str](), list[Contradiction]()
    for question in bar(questions, label="checking answers"):
        facts, kind = question.example.facts, str(question.example.facts["kind"])
        check = {"transfer_function": _check_transfer_function, "measurement": _check_measurement}.get(kind)
        if check is None:
            continue
        if "netlist" not in facts:
            reasons["no netlist"] += 1
            continue
        try:
            result = check(facts, netlist.parse(str(facts["netlist"])))
        except (ValueError, KeyError) as error:
            reasons[type(error).__name__] += 1
            continue
        checked_count += 1
        if result:
            contradictions.append(Contradiction(question.example.id, kind, str(facts["answer"]), result))
    return checked_count, reasons, contradictions


def _check_transfer_function(facts: Mapping[str, object], circuit: Circuit) -> str:
    """The verdict on a wrong transfer function; empty for a right one."""
    result = verdict.matches_circuit(
        str(facts["answer"]), circuit, source=str(facts["source"]), output=str(facts["output"])
    )
    return "" if result is verdict.Verdict.EQUAL else result.value


def _check_measurement(facts: Mapping[str, object], circuit: Circuit) -> str:
    """The value of the solver if it differs from the answer by more than 1 %; empty if it does not."""
    parsed_probe = probe.parse(str(facts["probe"]))
    value = probe.measure(circuit, parsed_probe)
    truth = quantity.Quantity(value, parsed_probe.unit)
    return "" if quantity.compare(str(facts["answer"]), truth).number else f"{value.real:.6g} {truth.unit}"
