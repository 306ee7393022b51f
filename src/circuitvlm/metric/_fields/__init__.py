"""Compare JSON objects: their fields, and the edit distance of their trees."""
