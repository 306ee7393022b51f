"""Cross-entropy of the reply tokens with label smoothing."""

from __future__ import annotations

from typing import ClassVar, Literal

from circuitvlm.objective.reply import Reply


class Smoothed(Reply):
    """The cross-entropy (nats) with labels of which the share `smoothing` is spread evenly over the vocabulary.

    Label smoothing as in Szegedy et al., "Rethinking the Inception Architecture for Computer Vision" (arXiv
    1512.00567), section 7. `mean` as in Reply. The validation loss is smoothed too: compare it only
    with runs of the same smoothing.
    """

    exempt: ClassVar[dict[str, str]] = {"better": "a net more certain than the smoothed labels has a higher loss"}

    def __init__(self, *, mean: Literal["token", "sample"], smoothing: float) -> None:
        super().__init__(mean=mean)
        if not 0 <= smoothing < 1:
            raise ValueError(f"objective.smoothing: expected 0 <= smoothing < 1, got {smoothing!r}")
        self.smoothing = smoothing
