"""Generated school questions about circuits in ScienceQA's layout."""

from circuitvlm.data.science_circuits.source import ScienceCircuits

__all__ = ["ScienceCircuits"]
