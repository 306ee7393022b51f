"""Compose and check a config, and build the parts that it names."""
