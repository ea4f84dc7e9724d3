"""What a method learns from, computed from annotations."""
