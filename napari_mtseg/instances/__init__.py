"""Class maps in, separate objects out."""
