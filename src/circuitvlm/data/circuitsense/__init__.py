"""CircuitSense: every layout of the benchmark and of its generator."""

from circuitvlm.data.circuitsense.source import CircuitSense, share_of, shares_of

__all__ = ["CircuitSense", "share_of", "shares_of"]
