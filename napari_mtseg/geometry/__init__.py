"""Distances, components, spacing and tile grids on NumPy arrays."""
