"""What the program does: train, predict, evaluate, export, simulate."""
