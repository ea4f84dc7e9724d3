"""How good a prediction is, measured against a ground truth."""
