"""Ask for the netlist of a drawn circuit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from circuitvlm.circuit.graph import Circuit
from circuitvlm.circuit.netlist import NetlistError, format, parse
from circuitvlm.core.contract import Metric
from circuitvlm.core.record import Dialogue, Example, Turn


class Netlist:
    """Ask `prompt` about the images of an example; the reply is its circuit, `facts["netlist"]`, in canonical form."""

    kind: ClassVar[str] = "netlist"

    def __init__(self, *, prompt: str, metrics: Mapping[str, Metric]) -> None:
        self.prompt = prompt
        self.metrics = metrics

    def fits(self, example: Example) -> bool:
        """True for examples of this kind, and for those that state only a circuit."""
        return example.facts.get("kind", "netlist") == "netlist" and "netlist" in example.facts

    def ask(self, example: Example) -> Dialogue:
        return Dialogue(
            id=example.id,
            task=example.task,
            prompt=(Turn(role="user", text=self.prompt, images=example.images),),
            reply=format(self.truth(example), renumber=False),
        )

    def read(self, text: str) -> Circuit | None:
        """The circuit that a reply describes, or None."""
        try:
            return parse(text)
        except NetlistError:
            return None

    def truth(self, example: Example) -> Circuit:
        """The circuit of the netlist. Raises ValueError for an example without one."""
        netlist = example.facts.get("netlist")
        if not isinstance(netlist, str):
            raise ValueError(
                f"example {example.id!r}: expected facts['netlist'] as text, got facts {sorted(example.facts)}"
            )
        return parse(netlist)
