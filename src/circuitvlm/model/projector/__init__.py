"""Any causal LLM behind a small image encoder."""

from circuitvlm.model.projector.spec import STANDIN_SHAPE, Projector

__all__ = ["STANDIN_SHAPE", "Projector"]
