"""Load samples in batches: sources, sampler, collator and data module."""
