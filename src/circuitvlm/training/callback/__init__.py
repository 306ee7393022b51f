"""Callbacks that a run's config can add."""
