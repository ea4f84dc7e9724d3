"""Partial masks in, larger partial masks out."""
