"""Share what several adapters need: depth profiles, target modules, PEFT folders."""
