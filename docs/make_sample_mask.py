"""Makes ``napari_mtseg/samples/epithelium.png``, the mask of the embedded sample.

The image is scikit-image's ``immunohistochemistry`` (colonic glands, FHL2 stained brown
with DAB, counterstained with haematoxylin). Its epithelium is found by the strength of
the DAB stain after colour deconvolution (Ruifrok and Johnston, 2001), smoothed, with
small pieces and holes removed; then each gland was given an id. Checked by eye.

    python docs/make_sample_mask.py
"""

from pathlib import Path

import numpy as np
from skimage import color, data, filters, measure, morphology
from skimage.io import imsave

TARGET = Path(__file__).parents[1] / "napari_mtseg" / "samples" / "epithelium.png"
SMALLEST = 400
"""pixels of the smallest gland or hole that is kept"""


def main() -> None:
    """Write the mask."""
    stain = color.rgb2hed(data.immunohistochemistry())[..., 2]
    smooth = filters.gaussian(stain, 4.0)
    stained = smooth > filters.threshold_otsu(smooth)
    stained = morphology.closing(stained, morphology.disk(10))
    stained = morphology.opening(stained, morphology.disk(6))
    pieces = morphology.remove_small_objects(stained, max_size=SMALLEST)
    whole = morphology.remove_small_holes(pieces, max_size=SMALLEST)
    TARGET.parent.mkdir(exist_ok=True)
    imsave(TARGET, measure.label(whole).astype(np.uint8), check_contrast=False)


if __name__ == "__main__":
    main()
