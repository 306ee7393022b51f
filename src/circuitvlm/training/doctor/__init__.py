"""Examine a run before it is started: samples, weights, memory and one step."""
