"""Test the output of the CircuitSense fine-tuning document."""

from __future__ import annotations

from circuitvlm.report.document import circuitsense_output
from circuitvlm.report.grade import Grades, Item


def item(name: str, task: str, **scores: float) -> Item:
    return Item(id=name, task=task, tags={"circuit": f"c-{name}"}, reply="said", wanted="meant", scores=scores)


def test_the_four_numbers_are_means_over_all_tasks_and_splits() -> None:
    first_split = Grades(
        (
            item("a", "transfer_function", equation_exact_accuracy=0, equation_sympy_accuracy=1, strict=1),
            item("b", "equation", equation_exact_accuracy=1, equation_sympy_accuracy=1),
            item("c", "netlist", topology=1),
        )
    )
    second_split = Grades((item("d", "measurement", qa_numerical_accuracy=1, qa_unit_accuracy=0),))
    output = circuitsense_output({"test": first_split, "other": second_split})
    assert output is not None
    assert output["metrics"] == {
        "equation_exact_accuracy": 0.5,
        "equation_sympy_accuracy": 1.0,
        "qa_numerical_accuracy": 1.0,
        "qa_unit_accuracy": 0.0,
    }
    assert [p["circuit_id"] for p in output["predictions"]] == ["c-a", "c-b", "c-d"]
    assert output["predictions"][0] == {
        "circuit_id": "c-a", "question_id": "a", "task_type": "equation", "prediction": "said", "ground_truth": "meant",
        "exact_match": False, "sympy_match": True, "split": "test", "task": "transfer_function",
    }  # fmt: skip
    assert output["predictions"][2]["numerical_match"] is True
    assert output["predictions"][2]["unit_match"] is False


def test_netlists_alone_have_no_such_document() -> None:
    assert circuitsense_output({"test": Grades((item("c", "netlist", topology=1),))}) is None
