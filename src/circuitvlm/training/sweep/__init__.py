"""Run sweeps: trials as processes, grids and Optuna studies."""
