"""Write trained runs and generated circuits as folders that other programs read."""
