"""CircuitSense: every layout of the benchmark and of its generator."""

from circuitvlm.data.circuitsense.source import CircuitSense

__all__ = ["CircuitSense"]
