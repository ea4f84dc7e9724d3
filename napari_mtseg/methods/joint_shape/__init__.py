"""Joint shape learning: a U-Net with a contour or distance head beside the mask."""
