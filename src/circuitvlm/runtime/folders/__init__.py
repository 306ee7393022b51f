"""Keep run folders: names, locks, provenance and outcomes."""
