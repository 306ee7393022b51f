"""Load samples in batches: sampler, collator and data module."""
