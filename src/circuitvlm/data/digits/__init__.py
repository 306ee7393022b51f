"""Digits: scikit-learn's 8 x 8 images, and MNIST-style files."""

from circuitvlm.data.digits.source import Digits, Mnist

__all__ = ["Digits", "Mnist"]
