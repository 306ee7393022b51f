"""Are exemptions declared for promises that exist, with reasons? And would we notice if not?"""

from __future__ import annotations

from tests.contract import rooms
from tests.contract.exemptions import Exemption, exemptions, faults, known, main


def test_every_exemption_is_of_a_known_promise() -> None:
    assert faults(exemptions(), known()) == []
    assert main() == 0


def test_every_room_with_doors_has_promises() -> None:
    assert [room for room, promises in known().items() if not promises] == []
    assert {"adapter", "collate", "data", "dropout", "metric", "model", "objective", "schedule", "task"} <= set(known())


def test_a_wrong_exemption_is_noticed() -> None:
    wrong = [Exemption("adapter", "Fake", "smal", "it is large"), Exemption("adapter", "Fake", "small", " ")]
    assert len(faults(wrong, {"adapter": {"small"}})) == 2


def test_a_broken_copy_has_the_method_and_leaves_the_original() -> None:
    class Whole:
        def say(self) -> int:
            return 1

    part = Whole()
    assert (rooms.broken(part, say=lambda self: 2).say(), part.say()) == (2, 1)
