"""Qwen2-VL (arXiv 2409.12191)."""

from circuitvlm.model.qwen2_vl.spec import STANDIN_SHAPE, Qwen2VL

__all__ = ["STANDIN_SHAPE", "Qwen2VL"]
