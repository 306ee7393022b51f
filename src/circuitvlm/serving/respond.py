"""How is a model asked, outside a run? By the line that an evaluation goes, with a person at both ends of it.

task -> codec -> collate -> net.generate -> codec.decode: the parts are the run's own. The images come from a person,
and the replies go back to one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any, ClassVar

import torch

from circuitvlm.circuit.graph import Circuit
from circuitvlm.core.contract import Codec, Collate, Metric, Task
from circuitvlm.core.record import Dialogue, Example, Picture, Turn
from circuitvlm.runtime.spelling import suggestion
from circuitvlm.serving.listen import listening
from circuitvlm.serving.pieces import Hear, Pieces
from circuitvlm.serving.unlabelled import AskError, unlabelled
from circuitvlm.task.extract import Extract
from circuitvlm.task.netlist import Netlist
from circuitvlm.training.batches.collator import Pack
from circuitvlm.training.network import Net

MIXED = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}

QUESTION, CIRCUIT = "question", "netlist"
"""The names of two tasks that any model can be asked: a person's own words, and the netlist."""


class Question:
    """Asks what `facts["question"]` says, and takes any reply."""

    kind: ClassVar[str] = "question"

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
    """A net with its codec and its tasks; greedy replies, one at a time, under the run's own precision.

    `tasks` are those that the model knows, of which `main` is asked where nothing is said (None: none is that one).
    `circuit` is how it is asked for a netlist, be that one of them or not.
    """

    def __init__(
        self,
        net: Net,
        *,
        codec: Codec,
        collate: Collate,
        tasks: Mapping[str, Task],
        main: str | None,
        circuit: Netlist,
        precision: str,
        max_new_tokens: int,
    ) -> None:
        self.net, self.codec, self.collate = net, codec, collate
        self.tasks, self.main, self.circuit = tasks, main, circuit
        self.max_new_tokens, self.precision = max_new_tokens, precision
        self.device = best_device()
        self.net.to(self.device).eval()

    def chosen(self, named: str | None, *, question: str | None, options: Sequence[str]) -> str:
        """The task that is meant: the one that is named, else the main one where it fits what was said, else the only
        one that does, else the question by itself. Raises AskError."""
        if named is not None:
            self._known(named)
            return named
        fitting = [name for name in self.tasks if self._fits(name, question=question, options=options)]
        if self.main in fitting:
            return self.main
        if len(fitting) == 1:
            return fitting[0]
        if question is not None and not options:
            return QUESTION
        if self.main is not None:
            unlabelled(self.tasks[self.main], name=self.main, pictures=(), question=question, options=options)
        raise AskError(f"which task is asked? {self._listed()}")

    def asks_circuit(self, named: str | None, *, question: str | None, options: Sequence[str]) -> bool:
        """Whether it is the netlist that is meant, with a question beside it or without. Raises AskError."""
        if named is None and self.main is not None and self.tasks[self.main] is self.circuit and not options:
            return True
        return self._known(self.chosen(named, question=question, options=options)) is self.circuit

    def repair(self) -> None:
        """Let replies that were cut off be closed, of every task that can. Raises AskError where none can."""
        able = [task for task in self.tasks.values() if isinstance(task, Extract)]
        if not able:
            raise AskError(f"no task of the model reads JSON, which could be repaired. {self._listed()}")
        for task in able:
            task.repair = True

    def netlist(self, picture: Picture | None, *, hear: Hear | None = None) -> str:
        """What the model says to the prompt that it was trained with."""
        return self._reply(self.circuit, name=CIRCUIT, pictures=_some(picture), hear=hear)

    def read(self, text: str) -> Circuit | None:
        """The circuit that a reply states, as the task reads it."""
        return self.circuit.read(text)

    def reply(self, picture: Picture | None, question: str, *, hear: Hear | None = None) -> str:
        """What the model says to a person's own words; as an instruction, where it was trained to follow those."""
        follows = (name for name, task in self.tasks.items() if getattr(task, "kind", None) == "instruction")
        return self.say(next(follows, QUESTION), picture, question=question, hear=hear)

    def say(
        self,
        name: str,
        picture: Picture | None,
        *,
        question: str | None = None,
        options: Sequence[str] = (),
        hear: Hear | None = None,
    ) -> str:
        """What the model says to one of its tasks, or to QUESTION; `hear` gets it piece by piece. Raises AskError."""
        return self._reply(
            self._known(name), name=name, pictures=_some(picture), question=question, options=options, hear=hear
        )

    def understood(self, name: str, text: str) -> Any:
        """What a task reads out of a reply; None where it reads nothing."""
        return self._known(name).read(text)

    def _known(self, name: str) -> Task:
        if name in self.tasks:
            return self.tasks[name]
        if name != QUESTION:
            raise AskError(f"no task {name!r}.{suggestion(name, self.tasks)} {self._listed()}")
        return Question()

    def _listed(self) -> str:
        return f"The model has {', '.join(self.tasks) or 'none of its own'}; {QUESTION} is asked in any words"

    def _fits(self, name: str, *, question: str | None, options: Sequence[str]) -> bool:
        try:
            unlabelled(self.tasks[name], name=name, pictures=(), question=question, options=options)
        except AskError:
            return False
        return True

    def _reply(
        self,
        task: Task,
        *,
        name: str,
        pictures: Sequence[Picture],
        hear: Hear | None,
        question: str | None = None,
        options: Sequence[str] = (),
    ) -> str:
        example = unlabelled(task, name=name, pictures=pictures, question=question, options=options)
        batch = Pack({name: task}, self.codec, self.collate, told=False, asked=True)([example]).to(self.device)
        pieces = None if hear is None else Pieces(hear)
        heard = nullcontext() if pieces is None else listening(self.net.weights, self.codec.decode, pieces)
        with torch.no_grad(), autocast(self.precision, self.device), heard:
            rows = self.net.generate(batch, max_new_tokens=self.max_new_tokens)
        text = self.codec.decode(rows[0])
        if pieces is not None:
            pieces.end(text)
        return text


def best_device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def autocast(precision: str, device: torch.device) -> torch.autocast:
    """The arithmetic that a precision of a run's config stands for; a CPU's mixed one is bfloat16."""
    mixed = MIXED.get(precision)
    kind = torch.bfloat16 if device.type == "cpu" else mixed
    return torch.autocast(device.type, dtype=kind, enabled=mixed is not None)


def _some(picture: Picture | None) -> tuple[Picture, ...]:
    return () if picture is None else (picture,)
