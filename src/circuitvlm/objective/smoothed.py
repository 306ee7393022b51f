"""What is a mistake? Every token of the reply that the model did not expect, and one of which it is too sure."""

from __future__ import annotations

from typing import ClassVar, Literal

from circuitvlm.objective.reply import Reply


class Smoothed(Reply):
    """The cross-entropy (nats) with labels of which a share, `smoothing`, is spread evenly over the whole vocabulary.

    Label smoothing as in Szegedy et al., "Rethinking the Inception Architecture for Computer Vision" (arXiv
    1512.00567), section 7. `mean` as in Reply. The loss that validation logs is smoothed too: it stays above 0, and may
    be compared with that of a run of the same smoothing alone.
    """

    exempt: ClassVar[dict[str, str]] = {"better": "a net that is surer than the smoothed labels makes a mistake"}

    def __init__(self, *, mean: Literal["token", "sample"], smoothing: float) -> None:
        super().__init__(mean=mean)
        if not 0 <= smoothing < 1:
            raise ValueError(f"objective.smoothing: came {smoothing!r}, wanted a share from 0 to below 1")
        self.smoothing = smoothing
