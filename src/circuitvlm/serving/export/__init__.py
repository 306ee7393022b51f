"""Write trained runs and generated data as folders that other programs read."""
