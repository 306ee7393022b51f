"""Do the document's helper functions do what it says of them, and do the metrics see what its own code did not?"""

from __future__ import annotations

import pytest

from circuitvlm.circuit.judge.answer import Executable, Truth
from circuitvlm.circuit.netlist import parse
from circuitvlm.circuit.solve.probe import parse as probe
from circuitvlm.metric.circuitsense import (
    CircuitSense,
    check_sympy_equivalence,
    compute_numerical_accuracy,
    extract_numerical_answer,
    normalize_latex,
)
from circuitvlm.metric.formula import Formula
from circuitvlm.metric.perceived import Perceived
from circuitvlm.metric.quantity_match import QuantityMatch


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (r"$H(s) = \dfrac{R_{2}}{R_1 + R_2}$", r"\frac{R_2}{R_1+R_2}"),
        (r"\left( R_1 \cdot C_1 \right)", "(R_1*C_1)"),
        (r"R_{\text{int}} s^2", "R_int s**2"),
        (r"V_{out}(s) = 2", "2"),
    ],
)
def test_normalize_latex_takes_off_what_only_typesets(one: str, other: str) -> None:
    assert normalize_latex(one) == normalize_latex(other)


def test_normalize_latex_does_no_mathematics() -> None:
    assert normalize_latex("R1+R2") != normalize_latex("R2+R1")


def test_equivalence_is_decided_by_value_and_sign() -> None:
    assert check_sympy_equivalence(r"\frac{R_2}{R_1+R_2}", "R2/(R1+R2)")
    assert not check_sympy_equivalence("R1+R2", "R3")
    assert not check_sympy_equivalence("-R1", "R1")
    assert not check_sympy_equivalence("__import__('os').system('true')", "R1")
    assert not check_sympy_equivalence("", "R1")


def test_the_number_of_an_answer_is_that_of_its_conclusion() -> None:
    assert extract_numerical_answer("The current I2 is 3.4 mA") == (pytest.approx(3.4e-3), "A")
    assert extract_numerical_answer("1 mA") == (pytest.approx(0.001), "A")
    assert extract_numerical_answer("no idea") == (None, None)


def test_numbers_are_compared_in_base_units_and_units_apart() -> None:
    found = compute_numerical_accuracy(["5 mV", "1 mA", "3.41 mA", "5"], ["5 V", "0.001 A", "3.4 mA", "5 V"])
    assert found == {"numerical_accuracy": 0.75, "unit_accuracy": 0.75}
    assert compute_numerical_accuracy([], []) == {"numerical_accuracy": 0.0, "unit_accuracy": 0.0}
    with pytest.raises(ValueError, match="got 2 for 1"):
        compute_numerical_accuracy(["1"], ["1", "2"])
    with pytest.raises(ValueError, match="expected a number as ground truth"):
        compute_numerical_accuracy(["1"], ["none"])


DIVIDER = parse("V1 1 0 10\nR1 1 2 1k\nR2 2 0 3k")
VOLTS = Truth(answer="7.5 V", circuit=DIVIDER, probe=probe("v(2,0)"))
RATIO = Truth(
    answer="H(s) = R2/(R1 + R2)",
    circuit=parse("V1 1 0 V1\nR1 1 2 R1\nR2 2 0 R2"),
    probe=probe(".tf v(2,0) V1"),
)


def test_an_executed_answer_is_worked_out_by_the_solver() -> None:
    right = Executable(parse("R2 0 b 3k\nR1 b a 1k\nV1 a 0 10"), probe("v(b,0)"))
    turned = Executable(parse("R2 0 b 3k\nR1 b a 1k\nV1 0 a 10"), probe("v(b,0)"))
    unsolvable = Executable(parse("V1 1 0 1\nV2 1 0 2"), probe("v(1)"))
    missing = Executable(DIVIDER, probe("v(9)"))
    metric = QuantityMatch(aspect="correct", tolerance=0.01)
    assert [metric.score(said, VOLTS).value for said in (right, turned, unsolvable, missing)] == [1, 0, 0, 0]
    assert [QuantityMatch(aspect="unit", tolerance=0.01).score(s, VOLTS).value for s in (right, turned)] == [1, 1]


def test_a_direct_answer_is_held_against_the_circuit() -> None:
    metric = QuantityMatch(aspect="correct", tolerance=0.01)
    said = ("7.5 V", "7500 mV", "7.49", "-7.5 V", "7.5 A", "I cannot see it")
    assert [metric.score(text, VOLTS).value for text in said] == [1, 1, 0, 0, 0, 0]
    assert metric.score(None, VOLTS).value == 0
    assert QuantityMatch(aspect="number", tolerance=0.01).score("7.49", VOLTS).value == 1
    assert QuantityMatch(aspect="stated", tolerance=0.01).score("no", VOLTS).value == 0


def test_formulas_are_judged_direct_and_executed() -> None:
    strict, loose = Formula(aspect="strict"), Formula(aspect="up_to_sign")
    executed = Executable(parse("V1 a 0 V1\nR2 b 0 R2\nR1 a b R1"), probe(".tf v(b,0) V1"))
    against = Executable(executed.circuit, probe(".tf v(0,b) V1"))
    wrong = Executable(executed.circuit, probe(".tf v(a,b) V1"))
    no_formula = Executable(executed.circuit, probe("v(b)"))
    for said, values in {
        "R2/(R1+R2)": (1, 1),
        r"-\frac{R_2}{R_1+R_2}": (0, 1),
        "R1": (0, 0),
        "no": (0, 0),
    }.items():
        assert (strict.score(said, RATIO).value, loose.score(said, RATIO).value) == values
    assert [strict.score(said, RATIO).value for said in (executed, against, wrong, no_formula)] == [1, 0, 0, 0]
    assert loose.score(against, RATIO).value == 1
    assert Formula(aspect="readable").score("I see a dog in the park", RATIO).value == 0


def test_the_documents_measures_are_strict_where_its_code_was_not() -> None:
    exact = CircuitSense(measure="equation_exact_accuracy", tolerance=0.01)
    equal = CircuitSense(measure="equation_sympy_accuracy", tolerance=0.01)
    assert exact.score("R2/(R1+R2)", RATIO).value == 1
    assert exact.score("R2/(R2+R1)", RATIO).value == 0
    assert equal.score("R2/(R2+R1)", RATIO).value == 1
    assert equal.score("-R2/(R2+R1)", RATIO).value == 0
    number = CircuitSense(measure="qa_numerical_accuracy", tolerance=0.01)
    unit = CircuitSense(measure="qa_unit_accuracy", tolerance=0.01)
    assert (number.score("7.5 mV", VOLTS).value, unit.score("7.5 mV", VOLTS).value) == (0, 1)
    assert (number.score("7.5", VOLTS).value, unit.score("7.5", VOLTS).value) == (1, 0)


def test_what_is_perceived_is_a_word_a_count_or_a_value() -> None:
    metric = Perceived(tolerance=0.01)
    rows = [
        ("yes", "yes", 1),
        ("no", "yes", 0),
        ("3", "3", 1),
        ("4", "3", 0),
        ("4700 Ohm", "4.7 kOhm", 1),
        ("4.7", "4.7 kOhm", 0),
    ]
    for said, true, value in rows:
        assert metric.score(said, Truth(answer=true)).value == value
