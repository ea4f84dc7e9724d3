"""Recursive approximation: partial masks that grow to the object boundaries."""
