"""Count the steps of a comparison, so that its outcome depends on no clock and no machine."""

from __future__ import annotations

from dataclasses import dataclass


class UndecidedError(Exception):
    """A comparison that needs more steps than it may take, or a value that is undefined or too large."""


@dataclass(slots=True)
class Budget:
    """How many steps a comparison may still take; the modules that spend them say what a step is."""

    steps_left: int

    def spend(self, steps: int) -> None:
        """Take the steps of the next piece of work. Raises UndecidedError where they are not left."""
        if steps > self.steps_left:
            raise UndecidedError(f"expected at most {self.steps_left} more steps, got {steps}")
        self.steps_left -= steps
