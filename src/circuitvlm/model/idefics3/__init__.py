"""Idefics3 (arXiv 2408.12637) and SmolVLM (arXiv 2504.05299)."""

from circuitvlm.model.idefics3.spec import Idefics3

__all__ = ["Idefics3"]
