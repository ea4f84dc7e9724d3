"""Task decomposition: segmentation, classes and scene, learned together in step."""
