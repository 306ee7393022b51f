"""LaVIN (arXiv 2305.15023): a Llama-like LLM with a CLIP tower and six visual tokens."""

from circuitvlm.model.lavin.spec import Lavin

__all__ = ["Lavin"]
