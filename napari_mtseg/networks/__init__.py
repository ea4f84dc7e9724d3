"""Blocks and the networks made of them: tensors in, tensors out."""
