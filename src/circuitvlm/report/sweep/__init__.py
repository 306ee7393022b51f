"""Collect the trials of a sweep and write its page."""
