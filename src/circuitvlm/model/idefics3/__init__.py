"""Idefics3 (arXiv 2408.12637) and SmolVLM (arXiv 2504.05299)."""

from circuitvlm.model.idefics3.spec import KINDS, STANDIN_SHAPE, Idefics3

__all__ = ["KINDS", "STANDIN_SHAPE", "Idefics3"]
