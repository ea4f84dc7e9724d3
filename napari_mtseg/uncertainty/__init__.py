"""How doubtful a prediction is."""
