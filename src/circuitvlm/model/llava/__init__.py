"""LLaVA-1.5 (arXiv 2310.03744) and LLaVA-NeXT."""

from circuitvlm.model.llava.spec import STANDIN_SHAPE, Llava, LlavaNext, read_only

__all__ = ["STANDIN_SHAPE", "Llava", "LlavaNext", "read_only"]
