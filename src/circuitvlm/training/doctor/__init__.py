"""Examine a run before it starts: text of samples, weights, gradients, memory and one step."""
