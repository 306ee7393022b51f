"""Qwen2-VL (arXiv 2409.12191)."""

from circuitvlm.model.qwen2_vl.spec import Qwen2VL

__all__ = ["Qwen2VL"]
