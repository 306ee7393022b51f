"""How is a model asked, outside a run? By the line that an evaluation goes, with a person at both ends of it.

task -> codec -> collate -> net.generate -> codec.decode: the parts are the run's own. The images come from a person,
and the replies go back to one.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

from circuitvlm.circuit.graph import Circuit
from circuitvlm.core.contract import Codec, Collate, Metric, Task
from circuitvlm.core.record import Dialogue, Example, Picture, Turn
from circuitvlm.task.netlist import Netlist
from circuitvlm.training.data_module import Pack
from circuitvlm.training.net import Net

MIXED = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}

QUESTION = "question"

ANY = "R1 1 0 1"
"""A netlist task wants to know the true one, on which its prompt does not depend: this stands for it."""


class Question:
    """Asks what `facts["question"]` says, and takes any reply."""

    def __init__(self) -> None:
        self.metrics: Mapping[str, Metric] = {}

    def fits(self, example: Example) -> bool:
        return "question" in example.facts

    def ask(self, example: Example) -> Dialogue:
        turn = Turn(role="user", text=str(example.facts["question"]), images=example.images)
        return Dialogue(id=example.id, task=example.task, prompt=(turn,), reply="")

    def read(self, text: str) -> str:
        return text

    def truth(self, example: Example) -> str:
        return ""


class Respondent:
    """A net with its codec and its netlist task; greedy replies, one image at a time, under the run's own precision."""

    def __init__(
        self, net: Net, *, codec: Codec, collate: Collate, task: Netlist, precision: str, max_new_tokens: int
    ) -> None:
        self.net, self.codec, self.task = net, codec, task
        self.max_new_tokens, self.precision = max_new_tokens, precision
        self.device = best_device()
        self.net.to(self.device).eval()
        tasks: dict[str, Task] = {"netlist": task, QUESTION: Question()}
        self.pack = Pack(tasks, codec, collate, told=False, asked=True)

    def netlist(self, picture: Picture) -> str:
        """What the model says to the prompt that it was trained with."""
        return self._reply(Example(id="image", task="netlist", images=(picture,), facts={"netlist": ANY}))

    def read(self, text: str) -> Circuit | None:
        """The circuit that a reply states, as the task reads it."""
        return self.task.read(text)

    def reply(self, picture: Picture, question: str) -> str:
        """What the model says to a question of the person's own."""
        return self._reply(Example(id="image", task=QUESTION, images=(picture,), facts={"question": question}))

    def _reply(self, example: Example) -> str:
        batch = self.pack([example]).to(self.device)
        with torch.no_grad(), autocast(self.precision, self.device):
            rows = self.net.generate(batch, max_new_tokens=self.max_new_tokens)
        return self.codec.decode(rows[0])


def best_device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def autocast(precision: str, device: torch.device) -> torch.autocast:
    """The arithmetic that a precision of a run's config stands for; a CPU's mixed one is bfloat16."""
    mixed = MIXED.get(precision)
    kind = torch.bfloat16 if device.type == "cpu" else mixed
    return torch.autocast(device.type, dtype=kind, enabled=mixed is not None)
