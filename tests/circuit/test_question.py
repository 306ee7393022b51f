"""Are the questions varied, answerable from the drawing, and answered rightly?"""

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
    circuit, made = numeric(seed)
    for asked in made:
        if asked.kind in ("measurement", "impedance"):
            assert asked.probe is not None
            value = measure(circuit, asked.probe, asked.frequency_hz)
            comparison = quantity.compare(asked.answer, quantity.Quantity(value, asked.probe.unit), 1e-3)
            assert comparison.correct
            assert asked.answer not in ("0 V", "0 A", "0 W", "0 Ohm")
        elif asked.kind == "choice":
            assert len(asked.options) == 5
            assert asked.options[-1] == NONE_OF_THEM
            assert asked.answer in LETTERS


@pytest.mark.parametrize("seed", range(30))
def test_a_choice_has_one_right_letter(seed: int) -> None:
    circuit = generate.item(seed, 0, components=(3, 8)).circuit
    for asked in questions(circuit, np.random.default_rng(seed), kinds=["choice"], count=3):
        assert asked.probe is not None
        truth = quantity.Quantity(measure(circuit, asked.probe, asked.frequency_hz), asked.probe.unit)
        right = [i for i, option in enumerate(asked.options[:4]) if quantity.compare(option, truth).correct]
        assert right == ([] if asked.answer == "E" else [LETTERS.index(asked.answer)])


def test_transfer_functions_are_right_by_the_judge() -> None:
    seen = 0
    for seed in range(40):
        circuit, made = symbolic(seed)
        for asked in made:
            if asked.kind == "transfer_function":
                assert asked.probe is not None
                assert matches_circuit(asked.answer, circuit, asked.probe.source, asked.probe.of) is Verdict.EQUAL
                assert len(asked.answer) <= 207
                seen += 1
    assert seen > 30


def test_marks_say_the_polarity_that_the_answer_has() -> None:
    turned = 0
    for seed in range(60):
        circuit, made = numeric(seed)
        for asked in made:
            if asked.mark is None or asked.kind != "measurement":
                continue
            device = circuit.device(asked.mark.device)
            card = f"v({','.join(device.nodes[:2])})" if asked.mark.kind == "voltage" else f"i({device.name})"
            value = measure(circuit, parse(card), asked.frequency_hz) * (-1 if asked.mark.reversed else 1)
            assert quantity.compare(asked.answer, quantity.Quantity(value, "V")).number
            turned += asked.mark.reversed
    assert turned > 10


def test_all_kinds_come_and_devices_are_asked_evenly() -> None:
    kinds: Counter[str] = Counter()
    devices: Counter[str] = Counter()
    for seed in range(120):
        circuit, made = (numeric if seed % 2 else symbolic)(seed)
        kinds.update(asked.kind for asked in made)
        devices.update(circuit.device(asked.mark.device).kind for asked in made if asked.mark)
        assert len({asked.text for asked in made}) == len(made)
    assert set(kinds) == set(KINDS)
    assert min(kinds.values()) > 0.15 * max(kinds.values())
    assert {"R", "V", "C", "L", "I"} <= set(devices)


def test_questions_can_be_drawn() -> None:
    made = generate.item(3, 0, components=(4, 6))
    asked = questions(made.circuit, np.random.default_rng(3), kinds=["measurement"], count=2)
    marks = [a.mark for a in asked if a.mark]
    plain = draw.image(made.circuit, made.placement, style="american")
    assert draw.image(made.circuit, made.placement, style="american", marks=marks) != plain


def test_perception_is_about_what_is_there() -> None:
    circuit = netlist.parse("V1 1 0 10\nR1 1 2 1k\nR2 2 0 3k\nC1 3 2 1u\nR3 3 0 2")
    made = questions(circuit, np.random.default_rng(1), kinds=["perception"], count=12)
    told = {asked.text: asked.answer for asked in made}
    for text, answer in told.items():
        if text.startswith("How many resistors"):
            assert answer == "3"
        if text == "What is the value of R2?":
            assert quantity.parse(answer) == quantity.Quantity(3000.0, "Ohm")
        if "V1 and C1" in text or "C1 and V1" in text:
            assert answer == "no"
    assert set(told.values()) & {"yes", "no"}


def test_unknown_kinds_are_named() -> None:
    with pytest.raises(ValueError, match=r"no kind \['riddle'\]; there are measurement"):
        questions(netlist.parse("V1 1 0 1\nR1 1 0 2"), np.random.default_rng(0), kinds=["riddle"], count=1)
