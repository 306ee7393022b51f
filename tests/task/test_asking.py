"""Are questions asked and answers read as people and models write them?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from circuitvlm.circuit.judge.answer import Executable
from circuitvlm.core.record import Example, Picture
from circuitvlm.task.choice import Choice
from circuitvlm.task.free_text import FreeText
from circuitvlm.task.measurement import Measurement
from circuitvlm.task.perception import Perception
from circuitvlm.task.transfer_function import TransferFunction

FACTS: dict[str, Any] = {
    "kind": "measurement",
    "question": "What is the voltage U0 in this circuit?",
    "answer": "7.5 V",
    "netlist": "V1 in 0 10\nR1 in out 1k\nR2 out 0 3k",
    "probe": ".print v(out,0)",
}


def example(**changed: Any) -> Example:
    return Example(id="e", task="t", images=(Picture(Path("e.png")),), facts={**FACTS, **changed})


def measurement(answer_mode: Any) -> Measurement:
    return Measurement(prompt="{question} Answer.", answer_mode=answer_mode, metrics={})


def test_a_direct_question_wants_the_answer() -> None:
    asked = measurement("direct").ask(example())
    assert asked.prompt[0].text == "What is the voltage U0 in this circuit? Answer."
    assert asked.reply == "7.5 V"


def test_an_executed_question_wants_a_netlist_with_its_probe() -> None:
    task = measurement("executed")
    asked = task.ask(example())
    assert asked.reply == "V1 in 0 10\nR1 in out 1k\nR2 out 0 3k\n.print v(out,0)"
    read = task.read(asked.reply)
    assert isinstance(read, Executable)
    assert read.probe.targets == ("out", "0")
    assert task.read("7.5 V") is None
    assert task.read("V1 1 0 10\nR1 1 0 1k") is None


def test_a_transfer_function_is_asked_by_its_card() -> None:
    task = TransferFunction(prompt="{question}", answer_mode="executed", metrics={})
    facts = {"kind": "transfer_function", "netlist": "V1 1 0 V1\nR1 1 2 R1\nC1 2 0 C1", "probe": ".tf v(2,0) V1"}
    assert task.ask(example(**facts)).reply.endswith("\n.tf v(2,0) V1")


def test_only_examples_of_the_kind_fit() -> None:
    assert measurement("direct").fits(example())
    assert not measurement("direct").fits(example(kind="choice"))
    without = Example(id="e", facts={key: FACTS[key] for key in ("kind", "question", "answer")})
    assert measurement("direct").fits(without)
    assert not measurement("executed").fits(without)
    with pytest.raises(ValueError, match="expected kind 'measurement' and facts"):
        measurement("direct").ask(example(kind="choice"))


def test_a_prompt_must_say_the_question() -> None:
    with pytest.raises(ValueError, match="expected a text with"):
        Measurement(prompt="Answer!", answer_mode="direct", metrics={})


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("B", "B"),
        ("B)", "B"),
        ("(c)", None),
        ("The answer is B.", "B"),
        ("Answer: **D**", "D"),
        (r"\boxed{C}", "C"),
        (r"\boxed{\text{(A)}}", "A"),
        ("Option E is right, A is not.", "E"),
        ("A or B", None),
        ("", None),
        ("I do not know", None),
        ("A resistor", None),
        ("A", "A"),
        ("A.", "A"),
        ("answer is (B) because C is larger", "B"),
        ("First I thought the answer is A. Then: the answer is D", "D"),
    ],
)
def test_a_choice_is_read_by_its_letter(text: str, letter: str | None) -> None:
    assert Choice(prompt="{question}", reading="letter", metrics={}).read(text) == letter


def test_options_that_the_question_lacks_are_listed() -> None:
    task = Choice(prompt="{question}", reading="letter", metrics={})
    listed = task.ask(example(kind="choice", question="Which?", answer="B", options=["1 V", "2 V"]))
    assert listed.prompt[0].text == "Which?\nA) 1 V\nB) 2 V\nAnswer with the letter."
    told = task.ask(example(kind="choice", question="Which: A) 1 V or B) 2 V?", answer="B", options=["1 V", "2 V"]))
    assert told.prompt[0].text == "Which: A) 1 V or B) 2 V?"
    with pytest.raises(ValueError, match="expected 2 to 8 texts"):
        task.ask(example(kind="choice", answer="B", options=["1 V"]))


def test_what_is_perceived_is_read_in_words_and_digits() -> None:
    task = Perception(prompt="{question}", metrics={})
    said = ("three", "There are Three resistors", "Yes.", "No, they are not", "4.7 kOhm", "")
    assert [task.read(text) for text in said] == [
        "3",
        "There are 3 resistors",
        "yes",
        "no",
        "4.7 kOhm",
        None,
    ]


def test_open_text_is_compared_without_case_and_spaces() -> None:
    task = FreeText(prompt="{question}", metrics={})
    assert task.read("  A Band-Pass\nfilter. ") == task.truth(example(kind="open", answer="a band-pass filter"))


def test_by_likelihood_only_letters_may_be_said() -> None:
    task = Choice(prompt="{question}", reading="likelihood", metrics={})
    facts = {"kind": "choice", "question": "Which?", "answer": "B", "options": ["1 V", "2 V", "3 V"]}
    assert task.ask(example(**facts)).choices == ("A", "B", "C")
