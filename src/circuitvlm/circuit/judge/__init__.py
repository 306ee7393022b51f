"""Judge exactly whether two circuits, formulas or answers are the same."""
