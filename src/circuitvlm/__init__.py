"""circuitvlm: fine-tune open vision-language models to read, and verify what they say."""
