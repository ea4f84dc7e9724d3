"""Cross-task consistency (MTCTL): mask, distance map and doubt agree on all images."""
