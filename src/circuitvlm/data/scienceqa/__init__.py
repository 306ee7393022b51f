"""ScienceQA: multiple-choice questions with lectures and explanations."""

from circuitvlm.data.scienceqa.source import ScienceQA

__all__ = ["ScienceQA"]
