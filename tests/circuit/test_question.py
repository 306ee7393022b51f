"""Check that generated questions are varied, can be drawn, and have right answers."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from circuitvlm.circuit import draw, generate, netlist, quantity
from circuitvlm.circuit.generate import grid
from circuitvlm.circuit.generate.question import LETTERS, NONE_OF_THEM, Question, questions
from circuitvlm.circuit.graph import Circuit
from circuitvlm.circuit.judge.verdict import Verdict, matches_circuit
from circuitvlm.circuit.solve.probe import measure, parse

KINDS = ("measurement", "transfer_function", "impedance", "perception", "choice")


def numeric(seed: int) -> tuple[Circuit, tuple[Question, ...]]:
    circuit = generate.item(seed, 0, components=(3, 8)).circuit
    return circuit, questions(circuit, np.random.default_rng(seed), kinds=KINDS, count=4)


def symbolic(seed: int) -> tuple[Circuit, tuple[Question, ...]]:
    circuit = grid.item(seed, 0, components=(3, 8), form="symbolic").circuit
    return circuit, questions(circuit, np.random.default_rng(seed), kinds=KINDS, count=4)


@pytest.mark.parametrize("seed", range(30))
def test_answers_are_what_the_solver_says(seed: int) -> None:
    circuit, all_questions = numeric(seed)
    for question in all_questions:
        if question.kind in ("measurement", "impedance"):
            assert question.probe is not None
            value = measure(circuit, question.probe, question.frequency_hz)
            comparison = quantity.compare(question.answer, quantity.Quantity(value, question.probe.unit), 1e-3)
            assert comparison.correct
            assert question.answer not in ("0 V", "0 A", "0 W", "0 Ohm")
        elif question.kind == "choice":
            assert len(question.options) == 5
            assert question.options[-1] == NONE_OF_THEM
            assert question.answer in LETTERS


@pytest.mark.parametrize("seed", range(30))
def test_a_choice_has_one_right_letter(seed: int) -> None:
    circuit = generate.item(seed, 0, components=(3, 8)).circuit
    for question in questions(circuit, np.random.default_rng(seed), kinds=["choice"], count=3):
        assert question.probe is not None
        truth = quantity.Quantity(measure(circuit, question.probe, question.frequency_hz), question.probe.unit)
        right = [i for i, option in enumerate(question.options[:4]) if quantity.compare(option, truth).correct]
        assert right == ([] if question.answer == "E" else [LETTERS.index(question.answer)])


def test_transfer_functions_are_right_by_the_judge() -> None:
    count = 0
    for seed in range(40):
        circuit, all_questions = symbolic(seed)
        for question in all_questions:
            if question.kind == "transfer_function":
                assert question.probe is not None
                probe = question.probe
                assert matches_circuit(question.answer, circuit, probe.source, probe.targets) is Verdict.EQUAL
                assert len(question.answer) <= 207
                count += 1
    assert count > 30


def test_marks_say_the_polarity_that_the_answer_has() -> None:
    reversed_count = 0
    for seed in range(60):
        circuit, all_questions = numeric(seed)
        for question in all_questions:
            if question.mark is None or question.kind != "measurement":
                continue
            device = circuit.device(question.mark.device)
            card = f"v({','.join(device.nodes[:2])})" if question.mark.kind == "voltage" else f"i({device.name})"
            value = measure(circuit, parse(card), question.frequency_hz) * (-1 if question.mark.is_reversed else 1)
            assert quantity.compare(question.answer, quantity.Quantity(value, "V")).number
            reversed_count += question.mark.is_reversed
    assert reversed_count > 10


def test_all_kinds_come_and_devices_are_asked_evenly() -> None:
    kinds: Counter[str] = Counter()
    devices: Counter[str] = Counter()
    for seed in range(120):
        circuit, all_questions = (numeric if seed % 2 else symbolic)(seed)
        kinds.update(question.kind for question in all_questions)
        devices.update(circuit.device(question.mark.device).kind for question in all_questions if question.mark)
        assert len({question.text for question in all_questions}) == len(all_questions)
    assert set(kinds) == set(KINDS)
    assert min(kinds.values()) > 0.15 * max(kinds.values())
    assert {"R", "V", "C", "L", "I"} <= set(devices)


def test_questions_can_be_drawn() -> None:
    item = generate.item(3, 0, components=(4, 6))
    measurements = questions(item.circuit, np.random.default_rng(3), kinds=["measurement"], count=2)
    marks = [question.mark for question in measurements if question.mark]
    unmarked_picture = draw.image(item.circuit, item.placement, style="american")
    assert draw.image(item.circuit, item.placement, style="american", marks=marks) != unmarked_picture


def test_perception_is_about_what_is_there() -> None:
    circuit = netlist.parse("V1 1 0 10\nR1 1 2 1k\nR2 2 0 3k\nC1 3 2 1u\nR3 3 0 2")
    perception = questions(circuit, np.random.default_rng(1), kinds=["perception"], count=12)
    answers = {question.text: question.answer for question in perception}
    for text, answer in answers.items():
        if text.startswith("How many resistors"):
            assert answer == "3"
        if text == "What is the value of R2?":
            assert quantity.parse(answer) == quantity.Quantity(3000.0, "Ohm")
        if "V1 and C1" in text or "C1 and V1" in text:
            assert answer == "no"
    assert set(answers.values()) & {"yes", "no"}


def test_unknown_kinds_are_named() -> None:
    with pytest.raises(ValueError, match=r"kinds: expected some of measurement, .*, got \['riddle'\]"):
        questions(netlist.parse("V1 1 0 1\nR1 1 0 2"), np.random.default_rng(0), kinds=["riddle"], count=1)
