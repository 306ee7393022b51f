"""LLaVA-1.5 (arXiv 2310.03744) and LLaVA-NeXT."""

from circuitvlm.model.llava.spec import Llava, LlavaNext

__all__ = ["Llava", "LlavaNext"]
