"""LaVIN's mixture-of-modality adapter as a PEFT tuner (arXiv 2305.15023)."""

from circuitvlm.adapter.mixture_of_modality.adapter import MixtureOfModality

__all__ = ["MixtureOfModality"]
