"""Check that exemptions are from known promises and have reasons, and that a wrong exemption is noticed."""

from __future__ import annotations

from tests.contract import parts
from tests.contract.exemptions import Exemption, exemptions, faults, known_promises, main


def test_every_exemption_is_of_a_known_promise() -> None:
    assert faults(exemptions(), known_promises()) == []
    assert main() == 0


def test_exemptions_of_parts_in_sub_packages_are_found() -> None:
    assert any(exemption.kind.startswith("circuitvlm.model.lavin.") for exemption in exemptions())


def test_every_group_of_parts_has_promises() -> None:
    promises = known_promises()
    assert [group for group, names in promises.items() if not names] == []
    assert {"adapter", "collate", "data", "dropout", "metric", "model", "objective", "schedule", "task"} <= set(
        promises
    )


def test_a_wrong_exemption_is_noticed() -> None:
    wrong = [Exemption("adapter", "Fake", "smal", "it is large"), Exemption("adapter", "Fake", "small", " ")]
    assert len(faults(wrong, {"adapter": {"small"}})) == 2


def test_a_broken_copy_has_the_method_and_leaves_the_original() -> None:
    class Whole:
        def answer(self) -> int:
            return 1

    part = Whole()
    assert (parts.broken_copy(part, answer=lambda self: 2).answer(), part.answer()) == (2, 1)
