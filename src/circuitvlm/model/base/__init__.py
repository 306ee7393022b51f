"""Share what several model families need: loading, tokenizing, generating, untrained checkpoints."""
