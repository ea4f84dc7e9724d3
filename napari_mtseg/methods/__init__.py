"""The segmentation methods, a folder each, and the protocol that they answer."""
