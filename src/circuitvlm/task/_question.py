"""Ask the question that an example states: what several tasks share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from circuitvlm.circuit.judge.answer import Truth, read_executable
from circuitvlm.circuit.netlist import parse
from circuitvlm.circuit.solve import probe as probes
from circuitvlm.core.contract import Metric
from circuitvlm.core.record import Dialogue, Example, Turn

AnswerMode = Literal["direct", "executed"]


class QuestionTask:
    """Ask the question that an example of this kind states, in place of `{question}` in `prompt`.

    Unless a subclass reads a reply in another way, the whole of it is compared with the stated answer.
    """

    kind: ClassVar[str]

    def __init__(self, *, prompt: str, metrics: Mapping[str, Metric]) -> None:
        if "{question}" not in prompt:
            raise ValueError(f"task {self.kind}: prompt: expected a text with {{question}}, got {prompt!r}")
        self.prompt = prompt
        self.metrics = metrics

    def fits(self, example: Example) -> bool:
        return example.facts.get("kind") == self.kind

    def ask(self, example: Example) -> Dialogue:
        text = self.prompt.replace("{question}", self.text_fact(example, "question"))
        turn = Turn(role="user", text=text, images=example.images)
        return Dialogue(id=example.id, task=example.task, prompt=(turn,), reply=self.reply(example))

    def reply(self, example: Example) -> str:
        return self.text_fact(example, "answer")

    def read(self, text: str) -> Any:
        """What is compared with the truth; None where the reply has no answer."""
        return text.strip() or None

    def truth(self, example: Example) -> Any:
        """What a reply is compared with. Raises ValueError for an example without an answer."""
        return Truth(answer=self.text_fact(example, "answer"))

    def text_fact(self, example: Example, name: str) -> str:
        """The text stored in `example.facts[name]`.

        Raises ValueError where the kind of the example is not that of this task, or the value is not text.
        """
        value = example.facts.get(name)
        if not self.fits(example) or not isinstance(value, str):
            raise ValueError(
                f"example {example.id!r}: expected kind {self.kind!r} and facts[{name!r}], got kind "
                f"{example.facts.get('kind')!r} and {sorted(example.facts)}"
            )
        return value


class ExecutableTask(QuestionTask):
    """Ask for the answer (`answer_mode` direct) or for a netlist with a probe, which the solver executes (executed).

    An example states its circuit as `facts["netlist"]` and what is probed there as `facts["probe"]`, a SPICE card's
    quantity such as v(2,0); executed questions need both.
    """

    def __init__(self, *, prompt: str, answer_mode: AnswerMode, metrics: Mapping[str, Metric]) -> None:
        super().__init__(prompt=prompt, metrics=metrics)
        self.answer_mode = answer_mode

    def fits(self, example: Example) -> bool:
        return super().fits(example) and (self.answer_mode == "direct" or {"netlist", "probe"} <= set(example.facts))

    def reply(self, example: Example) -> str:
        if self.answer_mode == "direct":
            return super().reply(example)
        truth = self.truth(example)
        assert truth.circuit is not None, "an executed question has a circuit"
        assert truth.probe is not None, "an executed question has a probe"
        return probes.write(truth.circuit, truth.probe)

    def read(self, text: str) -> Any:
        """The answer's text, or the netlist with its probe; None where there is none."""
        return super().read(text) if self.answer_mode == "direct" else read_executable(text)

    def truth(self, example: Example) -> Truth:
        netlist, probe = example.facts.get("netlist"), example.facts.get("probe")
        circuit_facts: dict[str, Any] = {}
        if isinstance(netlist, str) and isinstance(probe, str):
            circuit_facts = {"circuit": parse(netlist), "probe": probes.parse(probe)}
        frequency = example.facts.get("frequency_hz", 0.0)
        assert isinstance(frequency, int | float), "a frequency is a number of hertz"
        return Truth(answer=self.text_fact(example, "answer"), frequency_hz=float(frequency), **circuit_facts)
