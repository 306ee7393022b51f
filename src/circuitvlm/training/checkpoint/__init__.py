"""Save and resume training."""
