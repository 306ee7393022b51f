"""The command line `circuitvlm`."""
