"""From annotated images to batches: sampling and augmentation."""
