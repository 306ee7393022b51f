"""Ask an instruction that follows earlier turns, answered in free text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from circuitvlm.core.record import Dialogue, Example, Turn
from circuitvlm.task.free_text import FreeText

_ROLES = ("system", "user", "assistant")


class Instruct(FreeText):
    """The last question of a conversation, wrapped in `prompt`; `facts["history"]` are the turns before it.

    The images belong to the first turn of the user. Answers are compared as in FreeText.
    """

    kind = "instruction"

    def ask(self, example: Example) -> Dialogue:
        dialogue = super().ask(example)
        turns = [*self.history(example), *(replace(turn, images=()) for turn in dialogue.prompt)]
        first = next(place for place, turn in enumerate(turns) if turn.role == "user")
        turns[first] = replace(turns[first], images=example.images)
        return replace(dialogue, prompt=tuple(turns))

    def history(self, example: Example) -> list[Turn]:
        """The turns before the question. Raises ValueError where they are not pairs of role and text."""
        pairs = example.facts.get("history", ())
        assert isinstance(pairs, Sequence), "a history is a sequence"
        wrong_pairs = [pair for pair in pairs if len(pair) != 2 or pair[0] not in _ROLES]
        if wrong_pairs:
            raise ValueError(
                f"example {example.id!r}: history: expected pairs of role and text, got {wrong_pairs[0]!r}"
            )
        return [Turn(role=role, text=text) for role, text in pairs]
