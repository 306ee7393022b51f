"""A causal language model of any family after a small image encoder."""

from circuitvlm.model.projector.spec import Projector

__all__ = ["Projector"]
