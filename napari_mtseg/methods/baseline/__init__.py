"""A plain U-Net with a loss on known pixels, the measure for all other methods."""
