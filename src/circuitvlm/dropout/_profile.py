"""Check the probabilities of a dropout profile, and scale the profile to a mean."""

from __future__ import annotations

import math
from collections.abc import Sequence


def check_probability(value: float, *, name: str) -> float:
    """Return the value. Raises ValueError, with `name`, outside of [0, 1): with 1 nothing passes."""
    if not 0 <= value < 1:
        raise ValueError(f"dropout.{name}: expected a probability in [0, 1), got {value}")
    return value


def check_mean(mean: float | None) -> float | None:
    """Return the mean that a profile is scaled to, or None. Raises ValueError outside of [0, 1)."""
    return mean if mean is None else check_probability(mean, name="mean")


def scale_to_mean(profile: Sequence[float], *, mean: float | None) -> list[float]:
    """The profile times the factor that makes its mean over depth `mean`; unchanged where that is None.

    The bounds of a profile are scaled with it. So its shape stays, and the mean is exact up to rounding.
    Raises ValueError where a block would get 1 or more, and where a profile of zeros has to get another mean.
    """
    if mean is None:
        return list(profile)
    profile_mean, peak = math.fsum(profile) / len(profile), max(profile)
    if mean == 0:
        return [0.0] * len(profile)
    if profile_mean == 0:
        raise ValueError(f"dropout.mean: expected 0 or null for a profile of {len(profile)} zeros, got {mean}")
    scaled_profile = [p / profile_mean * mean for p in profile]
    if max(scaled_profile) >= 1:
        raise ValueError(
            f"dropout.mean: expected less than {profile_mean / peak:.4g} for a profile of this shape, got {mean}, "
            f"which sets block {profile.index(peak) + 1} of {len(profile)} to {max(scaled_profile):.4g}"
        )
    return scaled_profile
