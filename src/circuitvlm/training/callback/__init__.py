"""Callbacks of the trainer: pictures, dropout profile, pruning, throughput."""
