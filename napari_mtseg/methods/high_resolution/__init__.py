"""HMEDN: high-resolution pathways, contour regression and a difficulty-guided loss."""
