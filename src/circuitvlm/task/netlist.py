"""What is asked, and how is an answer read? The netlist of a drawn circuit, read as a circuit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from circuitvlm.circuit.graph import Circuit
from circuitvlm.circuit.netlist import NetlistError, format, parse
from circuitvlm.core.contract import Metric
from circuitvlm.core.record import Dialogue, Example, Turn


class Netlist:
    """Asks `prompt` of each example's images for the canonical form of its circuit, `facts["netlist"]`."""

    kind: ClassVar[str] = "netlist"

    def __init__(self, *, prompt: str, metrics: Mapping[str, Metric]) -> None:
        self.prompt = prompt
        self.metrics = metrics

    def fits(self, example: Example) -> bool:
        """Examples of this kind, and those that state nothing but a circuit."""
        return example.facts.get("kind", "netlist") == "netlist" and "netlist" in example.facts

    def ask(self, example: Example) -> Dialogue:
        turn = Turn(role="user", text=self.prompt, images=example.images)
        return Dialogue(
            id=example.id, task=example.task, prompt=(turn,), reply=format(self.truth(example), renumber=False)
        )

    def read(self, text: str) -> Circuit | None:
        """The circuit that a reply describes, or None where it describes none."""
        try:
            return parse(text)
        except NetlistError:
            return None

    def truth(self, example: Example) -> Circuit:
        return parse(self._netlist(example))

    def _netlist(self, example: Example) -> str:
        netlist = example.facts.get("netlist")
        if not isinstance(netlist, str):
            raise ValueError(
                f"example {example.id!r}: the netlist task needs facts['netlist']; it has {sorted(example.facts)}"
            )
        return netlist
